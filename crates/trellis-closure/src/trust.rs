//! Whose signatures count: keys that a person gives, else those of `nix.conf`.
//!
//! Format: `nix.conf(5)`: lines `name = value`, `#` comments, `include` and `!include` relative to the file,
//! `extra-` names that add to the others. Nix's built-in default holds where the file sets nothing.
//! Not by `nix_compat::nixcpp::conf`, which refuses a whole file for one line that it does not know: such a line must
//! not cost the keys.

use std::path::Path;

use nix_compat::narinfo::VerifyingKey;

use crate::error::ClosureError;

/// What Nix trusts where its settings say nothing.
const DEFAULT_KEYS: &str = "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=";

/// A file may include others, as deep as this; one that includes itself would go on for ever.
const MAX_INCLUDES: usize = 8;

/// Reads a key as a person writes it, `NAME:BASE64`.
pub fn parse_key(text: &str) -> Result<VerifyingKey, ClosureError> {
    VerifyingKey::parse(text).map_err(|error| ClosureError::Key {
        key: text.to_owned(),
        reason: error.to_string(),
    })
}

/// Keys that the settings of Nix name.
#[derive(Debug, Default)]
pub struct TrustedKeys {
    /// The keys.
    pub keys: Vec<VerifyingKey>,
    /// What stands among them and is no key.
    pub not_keys: Vec<String>,
}

/// The keys that a `nix.conf` trusts. A missing file sets nothing.
pub fn keys_of_nix_conf(file: &Path) -> TrustedKeys {
    let mut settings = Settings {
        keys: DEFAULT_KEYS.to_owned(),
        extra: String::new(),
    };
    settings.read(file, MAX_INCLUDES);
    let mut trusted = TrustedKeys::default();
    for word in settings
        .keys
        .split_whitespace()
        .chain(settings.extra.split_whitespace())
    {
        match VerifyingKey::parse(word) {
            Ok(key) => trusted.keys.push(key),
            Err(_) => trusted.not_keys.push(word.to_owned()),
        }
    }
    trusted
}

struct Settings {
    keys: String,
    extra: String,
}

impl Settings {
    fn read(&mut self, file: &Path, includes: usize) {
        let Ok(text) = std::fs::read_to_string(file) else {
            return;
        };
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.splitn(2, char::is_whitespace);
            let first = words.next().unwrap_or_default();
            if let ("include" | "!include", Some(other)) = (first, words.next()) {
                if includes > 0 {
                    let folder = file.parent().unwrap_or(Path::new("/"));
                    self.read(&folder.join(other.trim()), includes - 1);
                }
                continue;
            }
            let Some((name, value)) = line.split_once('=') else {
                continue;
            };
            match name.trim() {
                "trusted-public-keys" | "binary-cache-public-keys" => value.clone_into(&mut self.keys),
                "extra-trusted-public-keys" | "extra-binary-cache-public-keys" => {
                    self.extra.push(' ');
                    self.extra.push_str(value);
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(keys: &TrustedKeys) -> Vec<&str> {
        keys.keys.iter().map(VerifyingKey::name).collect()
    }

    #[test]
    fn the_settings_of_nix_are_read_with_what_they_include() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("nix.conf");
        assert_eq!(names(&keys_of_nix_conf(&file)), ["cache.nixos.org-1"]);

        let key = DEFAULT_KEYS.split_once(':').unwrap().1;
        let text = format!(
            "# ours\ntrusted-public-keys = a-1:{key} # old: b-1\n!include more.conf\ninclude nix.conf\n\
             extra-trusted-public-keys = nonsense\n"
        );
        std::fs::write(&file, text).unwrap();
        let more = format!("extra-trusted-public-keys = c-1:{key}\nextra-platforms = x\n");
        std::fs::write(folder.path().join("more.conf"), more).unwrap();
        let trusted = keys_of_nix_conf(&file);
        assert_eq!(names(&trusted)[0], "a-1");
        assert!(names(&trusted)[1..].iter().all(|name| *name == "c-1"));
        assert!(trusted.not_keys.iter().all(|word| word == "nonsense"));
        assert!(!trusted.not_keys.is_empty());
    }
}
