//! The files that a package owns, by its `RECORD`: path, hash and length, one a line.
//!
//! Only Python and compiled files are looked at: others are moved and dropped by distributors.

use std::fs;
use std::path::Path;

use super::Package;
use crate::text;

/// torch's record, the longest of those that TRELLIS needs, has 1.5 MB.
const MAX_BYTES: u64 = 32 << 20;

/// A file as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owned {
    /// Below the folder of packages.
    pub(crate) path: String,
    /// Such as `sha256=…`; empty where none is recorded.
    pub(crate) hash: String,
    /// In bytes.
    pub(crate) length: Option<u64>,
}

impl Owned {
    /// Whether the file that is there has the recorded length; `None` where there is no file.
    pub(crate) fn fits(&self, packages: &Path) -> Option<bool> {
        let there = fs::metadata(packages.join(&self.path)).ok()?;
        if !there.is_file() {
            return None;
        }
        Some(self.length.is_none_or(|length| there.len() == length))
    }
}

/// Whether a file's name ends in a dot and the extension, in the letters as they stand.
pub(crate) fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|found| found == extension)
}

/// What the package's record lists; empty without one.
pub(crate) fn owned(package: &Package) -> Vec<Owned> {
    let text = text::text(&package.info.join("RECORD"), MAX_BYTES).unwrap_or_default();
    text.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<Owned> {
    let mut fields = line.rsplitn(3, ',');
    let (length, hash, path) = (fields.next()?, fields.next()?, fields.next()?);
    let path = path.trim_matches('"');
    let name = path.rsplit('/').next().unwrap_or(path);
    let judged = has_extension(name, "py") || name.contains(".so");
    let inside = !path.starts_with('/') && !path.split('/').any(|part| part == "..");
    (judged && inside).then(|| Owned {
        path: path.to_owned(),
        hash: hash.to_owned(),
        length: length.trim().parse().ok(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_below_the_packages_counts() {
        let owned = line("torch/version.py,sha256=x,12").unwrap();
        assert_eq!(
            (owned.path.as_str(), owned.length),
            ("torch/version.py", Some(12))
        );
        assert!(line("torch/lib/libc10.so,,").is_some());
        for other in [
            "../../bin/torchrun,sha256=x,1",
            "torch/NOTICE,sha256=x,1",
            "../x.py,,",
            "",
        ] {
            assert_eq!(line(other), None, "{other}");
        }
    }
}
