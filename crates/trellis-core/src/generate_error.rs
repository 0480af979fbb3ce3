//! How making a result ends without one.

use crate::Failure;

/// Why there is no result. A cancel is nobody's fault and is not reported as a failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenerateError {
    /// Somebody cancelled it.
    #[error("the job was cancelled")]
    Cancelled,
    /// It failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}
