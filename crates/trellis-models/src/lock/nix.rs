//! A lock as a Nix attribute set, to paste where a fixed-output derivation reads it.

use std::fmt::Write as _;

use nix_compat::nixhash::NixHash;
use trellis_core::Sha256;

use super::{ExtraDigest, Lock};

impl Lock {
    /// The attribute set: `repo`, `rev`, `files` and `extras`, hashes in Nix's own form.
    pub fn to_nix(&self) -> String {
        let mut text = String::from("{\n");
        for (name, value) in [("repo", &self.repo), ("rev", &self.revision)] {
            let value = value.as_deref().map_or_else(|| "null".to_owned(), quote);
            let _ = writeln!(text, "  {name} = {value};");
        }
        text.push_str("  files = {\n");
        for file in &self.files {
            let hash = sri(file.sha256);
            let _ = writeln!(
                text,
                "    {} = {{ size = {}; hash = {}; }};",
                quote(&file.path),
                file.size,
                quote(&hash)
            );
        }
        text.push_str("  };\n  extras = {\n");
        for extra in &self.extras {
            let value = match &extra.digest {
                ExtraDigest::File { size, sha256 } => {
                    let hash = sri(*sha256);
                    format!("{{ size = {size}; hash = {}; }}", quote(&hash))
                }
                ExtraDigest::Tree { nar_hash } => format!("{{ narHash = {}; }}", quote(nar_hash)),
            };
            let _ = writeln!(text, "    {} = {value};", quote(&extra.name));
        }
        text.push_str("  };\n}\n");
        text
    }
}

fn sri(digest: Sha256) -> String {
    NixHash::Sha256(*digest.as_bytes()).to_sri_string()
}

/// A Nix string: backslash, quote and the start of an interpolation are escaped.
fn quote(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace("${", "\\${");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::super::{LockedExtra, LockedFile, Version};
    use super::*;

    #[test]
    fn prints_an_attribute_set_with_nothing_left_to_interpolate() {
        let lock = Lock {
            version: Version,
            repo: Some("org/name".to_owned()),
            revision: None,
            files: vec![LockedFile {
                path: "ckpts/${x}\"y.json".to_owned(),
                size: 3,
                sha256: Sha256::of("abc"),
            }],
            extras: vec![LockedExtra {
                name: "dinov2_code".to_owned(),
                digest: ExtraDigest::Tree {
                    nar_hash: "sha256-x".to_owned(),
                },
            }],
        };
        insta::assert_snapshot!(lock.to_nix());
    }
}
