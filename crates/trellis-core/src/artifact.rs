//! Files that a job made.

use serde::{Deserialize, Serialize};

use crate::{Format, Sha256};

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
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub sha256: Sha256,
    /// Whether it is a stand-in made quickly on the CPU, to be looked at until the real one is there.
    pub preview: bool,
}

/// The signed or unsigned statement that says how a job's files came to be; not one of its artifacts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StatementFile {
    /// File name, `NAME.intoto.json`, or `NAME.intoto.dsse.json` where it is signed.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// SHA-256 of its bytes, 64 lower-case hexadecimal digits.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub sha256: Sha256,
    /// The name of the key that signed it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signed_by: Option<String>,
}
