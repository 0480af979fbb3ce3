//! A file that a job made.

use serde::{Deserialize, Serialize};

use crate::Format;

/// A finished file of a job. It is listed only once it is whole and on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Artifact {
    /// File name within the job, such as `model.glb`.
    pub name: String,
    /// What it is.
    pub format: Format,
    /// Its media type.
    pub media_type: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// SHA-256 of its bytes, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Whether it is a stand-in made quickly on the CPU, to be looked at until the real one is there.
    pub preview: bool,
}
