//! The key that requests are signed with, from a file in the form that AWS's programs use:
//!
//! ```text
//! [default]
//! aws_access_key_id = …
//! aws_secret_access_key = …
//! aws_session_token = …        (if it has one)
//! ```
//!
//! Of several profiles the one called `default` counts; without a heading the whole file is one profile.

use std::fmt;

/// A key and its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub(crate) key_id: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(***)")
    }
}

/// Why a file holds no credentials. Nothing of its text is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// Something is missing in the profile.
    #[error("it has no line `{0} = …` under `[default]`")]
    Missing(&'static str),
    /// A line that is neither a heading nor `name = value`.
    #[error("line {0} is not of the form `name = value`")]
    Line(usize),
}

impl Credentials {
    /// Reads the text of such a file.
    pub fn parse(text: &str) -> Result<Self, CredentialsError> {
        let (mut key_id, mut secret, mut token) = (None, None, None);
        let mut counts = true;
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(profile) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                counts = profile.trim() == "default";
                continue;
            }
            let (name, value) = line.split_once('=').ok_or(CredentialsError::Line(number))?;
            let place = match name.trim() {
                "aws_access_key_id" => &mut key_id,
                "aws_secret_access_key" => &mut secret,
                "aws_session_token" => &mut token,
                // Regions and the like, which have settings of their own here.
                _ => continue,
            };
            if counts {
                *place = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
            }
        }
        Ok(Self {
            key_id: key_id.ok_or(CredentialsError::Missing("aws_access_key_id"))?,
            secret: secret.ok_or(CredentialsError::Missing("aws_secret_access_key"))?,
            token,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_profile_counts() {
        let file = "# mine\n[other]\naws_access_key_id = no\naws_secret_access_key = no\n\n\
                    [default]\nregion = eu\naws_access_key_id = AKIA1\naws_secret_access_key=a/b=c\n";
        let found = Credentials::parse(file).unwrap();
        assert_eq!((&*found.key_id, &*found.secret), ("AKIA1", "a/b=c"));
        assert_eq!(found.token, None);
        assert_eq!(format!("{found:?}"), "Credentials(***)");
        let bare =
            Credentials::parse("aws_access_key_id=a\r\naws_secret_access_key=b\r\naws_session_token = c\r\n");
        assert_eq!(bare.unwrap().token.as_deref(), Some("c"));
    }

    #[test]
    fn what_is_missing_is_named_and_nothing_is_repeated() {
        for (file, why) in [
            ("", "`aws_access_key_id = …`"),
            ("aws_access_key_id = hunter2", "`aws_secret_access_key = …`"),
            (
                "aws_access_key_id = hunter2\naws_secret_access_key =",
                "`aws_secret_access_key = …`",
            ),
            (
                "[other]\naws_access_key_id = hunter2\naws_secret_access_key = hunter2",
                "under `[default]`",
            ),
            ("hunter2:hunter2", "line 1 is not"),
        ] {
            let error = Credentials::parse(file).unwrap_err().to_string();
            assert!(error.contains(why), "{file}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
