//! A new API key: a secret of random bytes and its line for the file of keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use trellis_core::{Secret, Sha256};

use crate::grant::Grant;
use crate::key_line::{DIGEST_PREFIX, MAX_NAME_LENGTH, is_name};

/// A key that has just been made. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct NewKey {
    name: String,
    secret: Secret,
    grant: Grant,
}

/// A text that cannot be a key's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a key's name must be 1 to {MAX_NAME_LENGTH} of `A-Z a-z 0-9 . _ -`")]
pub struct InvalidKeyName;

impl NewKey {
    /// A key of that name whose secret is made of `random` bytes, and which may do what `grant` says.
    #[expect(
        clippy::missing_panics_doc,
        reason = "the secret is of the characters of Base64"
    )]
    pub fn new(name: &str, random: [u8; 32], grant: Grant) -> Result<Self, InvalidKeyName> {
        if !is_name(name) {
            return Err(InvalidKeyName);
        }
        // The prefix says to programs that look for leaked secrets, and to people, what it is.
        let text = format!("trellis_{}", URL_SAFE_NO_PAD.encode(random));
        Ok(Self {
            name: name.to_owned(),
            secret: Secret::parse(&text).expect("it is visible ASCII"),
            grant,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What clients send.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Its line in a file of keys, without the line's end: tells nothing of the secret.
    pub fn line(&self) -> String {
        format!(
            "{} {DIGEST_PREFIX}{}{}",
            self.name,
            Sha256::of(self.secret.reveal()),
            self.grant
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ApiKeys;

    #[test]
    fn the_line_is_one_of_a_file_of_keys_and_tells_no_secret() {
        let key = NewKey::new("studio", [0xa5; 32], Grant::default()).unwrap();
        let secret = key.secret().reveal();
        assert_eq!(
            secret,
            format!("trellis_{}", "paWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaU")
        );
        assert!(!key.line().contains(secret) && !format!("{key:?}").contains(secret));
        let keys = ApiKeys::parse(&key.line()).unwrap();
        assert_eq!(keys.names().collect::<Vec<_>>(), ["studio"]);
        assert!(key.line().ends_with(&Sha256::of(secret).to_string()));
    }

    #[test]
    fn a_name_that_a_file_cannot_hold_is_refused() {
        for bad in ["", "a b", "a:b", "#a", &"n".repeat(MAX_NAME_LENGTH + 1)] {
            assert!(NewKey::new(bad, [0; 32], Grant::default()).is_err(), "{bad}");
        }
    }
}
