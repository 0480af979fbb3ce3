//! What a checkpoint's name in `pipeline.json` points to.
//!
//! TRELLIS joins folder and name and, when anything at all fails, takes the bare name for a hub repository:
//! its first two parts as `ORG/NAME`, the rest as the file. So the text alone decides what can be meant:
//!
//! ```text
//! ckpts/NAME              a file of this folder (the retry can only ask a repository `ckpts/NAME`)
//! ORG/REPO/ckpts/NAME     a file of this folder or, as the text models use it, of another repository
//! ../x   /x   a//b        neither: refused
//! ```

use std::path::{Path, PathBuf};

/// A checkpoint's name, known to stay inside its folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference(String);

/// Why a name is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nothing there.
    #[error("it is empty")]
    Empty,
    /// Longer than a file system takes.
    #[error("it is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// It starts at the root.
    #[error("it starts with `/`, so it points outside the model folder")]
    Absolute,
    /// It holds `..`.
    #[error("it contains `..`, so it can leave the model folder")]
    Climbs,
    /// `a//b`, `./a` or `a/`.
    #[error("it has an empty part or a part that is a single dot")]
    EmptyPart,
    /// A control character or a backslash.
    #[error("it contains a control character or a backslash")]
    OddCharacter,
}

/// PATH_MAX of Linux, less room for the folder and the ending.
const MAX_BYTES: usize = 1024;

impl Reference {
    /// Checks a name.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        if text.is_empty() {
            return Err(Refused::Empty);
        }
        if text.len() > MAX_BYTES {
            return Err(Refused::TooLong);
        }
        if text.starts_with('/') {
            return Err(Refused::Absolute);
        }
        if text.chars().any(|c| c.is_control() || c == '\\') {
            return Err(Refused::OddCharacter);
        }
        for part in text.split('/') {
            match part {
                ".." => return Err(Refused::Climbs),
                "" | "." => return Err(Refused::EmptyPart),
                _ => {}
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part.
    pub fn short(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// `NAME.json` relative to the folder.
    pub fn config(&self) -> String {
        format!("{}.json", self.0)
    }

    /// `NAME.safetensors` relative to the folder.
    pub fn weights(&self) -> String {
        format!("{}.safetensors", self.0)
    }

    /// Both files in `folder`.
    pub fn files_in(&self, folder: &Path) -> (PathBuf, PathBuf) {
        (folder.join(self.config()), folder.join(self.weights()))
    }

    /// The repository and the name in it that the loader would ask a hub for, if this can be meant so.
    pub fn other_repo(&self) -> Option<(String, Self)> {
        let mut parts = self.0.splitn(3, '/');
        let (owner, repo, rest) = (parts.next()?, parts.next()?, parts.next()?);
        (owner != "ckpts").then(|| (format!("{owner}/{repo}"), Self(rest.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_file_of_the_folder_from_another_repository() {
        let local = Reference::parse("ckpts/ss_flow_img_dit_L_16l8_fp16").unwrap();
        assert_eq!(local.other_repo(), None);
        assert_eq!(Reference::parse("ckpts/sub/x").unwrap().other_repo(), None);
        let other = Reference::parse("microsoft/TRELLIS-image-large/ckpts/ss_dec").unwrap();
        let (repo, name) = other.other_repo().unwrap();
        assert_eq!(
            (repo.as_str(), name.as_str()),
            ("microsoft/TRELLIS-image-large", "ckpts/ss_dec")
        );
    }

    #[test]
    fn refuses_path_traversal_in_checkpoint_name() {
        for (text, why) in [
            ("../../etc/passwd", Refused::Climbs),
            ("ckpts/../../x", Refused::Climbs),
            ("/etc/passwd", Refused::Absolute),
            ("ckpts//x", Refused::EmptyPart),
            ("./x", Refused::EmptyPart),
            ("ckpts\\..\\x", Refused::OddCharacter),
            ("ckpts/\0", Refused::OddCharacter),
            ("", Refused::Empty),
        ] {
            assert_eq!(Reference::parse(text), Err(why), "{text:?}");
        }
        assert_eq!(Reference::parse(&"x".repeat(1025)), Err(Refused::TooLong));
    }
}
