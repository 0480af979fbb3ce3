//! What is known of one store path.

use nix_compat::narinfo::Signature;
use nix_compat::nixhash::{CAHash, NixHash};
use nix_compat::store_path::StorePath;
use serde::{Serialize, Serializer, ser::SerializeStruct};

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Nix's database.
    Database,
    /// The files themselves, hashed and scanned just now: there is nothing to compare them with.
    Scan,
    /// A narinfo file of a binary cache.
    BinaryCache,
}

/// What is known of one store path.
#[derive(Debug, Clone)]
pub struct PathInfo {
    /// The path.
    pub path: StorePath<String>,
    /// SHA-256 of its archive form.
    pub nar_hash: NixHash,
    /// Bytes of its archive form.
    pub nar_size: u64,
    /// What it refers to, itself included where it does, in the order of their names.
    pub references: Vec<StorePath<String>>,
    /// The recipe that made it.
    pub deriver: Option<StorePath<String>>,
    /// Those that can be read; one that cannot is by nobody that is known.
    pub signatures: Vec<Signature<String>>,
    /// How its name follows from its content, if it does.
    pub ca: Option<CAHash>,
    /// Seconds since 1970 when it came into the store; `None` where no database says so.
    pub registered: Option<i64>,
    /// Whether this machine built it.
    pub built_here: bool,
    /// Who says all this.
    pub source: Source,
}

/// Paths absolute, hashes in Nix's `sha256-…` form.
impl Serialize for PathInfo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let absolute = |paths: &[StorePath<String>]| -> Vec<String> {
            paths.iter().map(StorePath::to_absolute_path).collect()
        };
        let signatures: Vec<String> = self.signatures.iter().map(ToString::to_string).collect();
        let mut object = serializer.serialize_struct("PathInfo", 10)?;
        object.serialize_field("path", &self.path.to_absolute_path())?;
        object.serialize_field("nar_hash", &self.nar_hash.to_sri_string())?;
        object.serialize_field("nar_size", &self.nar_size)?;
        object.serialize_field("references", &absolute(&self.references))?;
        object.serialize_field("deriver", &self.deriver.as_ref().map(StorePath::to_absolute_path))?;
        object.serialize_field("signatures", &signatures)?;
        object.serialize_field("ca", &self.ca.as_ref().map(CAHash::to_nix_nixbase32_string))?;
        object.serialize_field("registered", &self.registered)?;
        object.serialize_field("built_here", &self.built_here)?;
        object.serialize_field("source", &self.source)?;
        object.end()
    }
}
