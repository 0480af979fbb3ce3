//! Who is told of jobs whose state changes, for figures and messages.

use trellis_core::Job;

/// Is told of each job that enters a state by way of this process. Calls return at once.
pub trait JobObserver: Send + Sync + 'static {
    /// The job has just entered its state.
    fn changed(&self, job: &Job);
}
