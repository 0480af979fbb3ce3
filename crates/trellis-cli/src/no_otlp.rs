//! In the place of `otlp.rs` in a build without that feature: exports nothing, and says so where it was asked to.

use crate::env::Environment;

/// Never runs.
pub(crate) enum Export {}

/// Sees nothing.
pub(crate) type Spans = tracing_subscriber::layer::Identity;

impl Export {
    /// `Err` where the environment names a collector.
    pub(crate) fn start(environment: &Environment) -> Result<Option<(Self, Spans)>, String> {
        if environment.wants_spans() {
            return Err("this program was built without the feature `otlp`".to_owned());
        }
        Ok(None)
    }

    /// Never called.
    pub(crate) fn end(self) {
        match self {}
    }
}
