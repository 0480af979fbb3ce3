//! What a derivation's paths are: its own, and those of its outputs.
//!
//! The `modulo` hash of a derivation is the SHA-256 of its ATerm in which the path of each input derivation
//! is replaced by the hex of that one's own modulo hash, sorted by it; two inputs with one hash become one.
//! A fixed output's is the SHA-256 of `fixed:out:[r:]<algo>:<hex>:<path>`, so whatever fetched it is
//! irrelevant. Output paths follow from the modulo hash of the derivation whose own output paths, and the
//! variables of the same names, are still empty. Source: the paths that Nix computes (`tests/goldens`).

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::write::{lower_hex, method};
use super::{Derivation, DerivationError};
use crate::store_path::{
    BuildStorePathError, StorePath, StorePathRef, build_ca_path, build_output_path, build_text_path,
};

impl Derivation {
    /// The path of its `.drv` file; `name` is without `.drv`.
    pub fn calculate_derivation_path(&self, name: &str) -> Result<StorePath<String>, DerivationError> {
        let references: BTreeSet<String> = self
            .input_derivations
            .keys()
            .chain(&self.input_sources)
            .map(StorePath::to_absolute_path)
            .collect();
        let file_name = format!("{name}.drv");
        build_text_path(&file_name, self.to_aterm_bytes(), references)
            .map_err(|source| DerivationError::InvalidOutputDerivationPath(file_name.clone(), source))
    }

    /// The modulo hash of a derivation with a fixed output; none if its output is not fixed.
    pub fn fod_digest(&self) -> Option<[u8; 32]> {
        let output = self.outputs.get("out").filter(|_| self.outputs.len() == 1)?;
        let hash = output.ca_hash.as_ref()?;
        let text = format!(
            "fixed:out:{}:{}:{}",
            method(hash),
            lower_hex(&hash.hash()),
            output.path_str()
        );
        Some(Sha256::digest(text).into())
    }

    /// Its modulo hash as it stands: with output paths for use as an input of another derivation, without
    /// them (and with empty variables of their names) to compute them.
    ///
    /// `lookup` knows the modulo hash of each input derivation, with its output paths. A derivation with a
    /// fixed output asks it nothing.
    #[expect(clippy::missing_panics_doc, reason = "a hasher takes all that is written")]
    pub fn hash_derivation_modulo<F: Fn(&StorePathRef) -> [u8; 32]>(&self, lookup: F) -> [u8; 32] {
        if let Some(digest) = self.fod_digest() {
            return digest;
        }
        let mut inputs: BTreeMap<[u8; 32], BTreeSet<String>> = BTreeMap::new();
        for (path, names) in &self.input_derivations {
            inputs
                .entry(lookup(&path.as_ref()))
                .or_default()
                .extend(names.iter().cloned());
        }
        let mut hasher = HashWriter(Sha256::new());
        // The order of hex strings is that of the bytes.
        let inputs = inputs.iter().map(|(hash, names)| (HEXLOWER.encode(hash), names));
        self.write_with_inputs(&mut hasher, inputs)
            .expect("a hasher takes all that is written");
        hasher.0.finalize().into()
    }

    /// Sets the path of each output, and the variable of its name, from the modulo hash of the derivation
    /// without them. `name` is the derivation's, without `.drv`.
    pub fn calculate_output_paths(
        &mut self,
        name: &str,
        hash_derivation_modulo: &[u8; 32],
    ) -> Result<(), DerivationError> {
        let mut paths = Vec::with_capacity(self.outputs.len());
        for (output_name, output) in &self.outputs {
            let path_name = match output_name.as_str() {
                "out" => name.to_owned(),
                other => format!("{name}-{other}"),
            };
            let path = match &output.ca_hash {
                Some(hash) => build_ca_path(&path_name, hash, [""; 0], false),
                None => build_output_path(hash_derivation_modulo, output_name, &path_name)
                    .map_err(BuildStorePathError::InvalidStorePath),
            };
            paths.push(path.map_err(|source| {
                DerivationError::InvalidOutputDerivationPath(output_name.clone(), source)
            })?);
        }
        for ((output_name, output), path) in self.outputs.iter_mut().zip(paths) {
            let path: StorePath<String> = path;
            self.environment
                .insert(output_name.clone(), path.to_absolute_path().into());
            output.path = Some(path);
        }
        Ok(())
    }
}

struct HashWriter(Sha256);

impl Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
