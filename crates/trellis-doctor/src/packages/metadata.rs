//! One package: `METADATA` of its `*.dist-info` folder (PyPA core metadata), or what older installers write.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use pep508_rs::{PackageName, Requirement};

use crate::text;

/// Headers come first, and a description of any length may follow: no more than this is read.
const MAX_BYTES: u64 = 1 << 20;
/// The longest requirement that is parsed; real ones stay below 300 bytes.
const MAX_REQUIREMENT_BYTES: usize = 2048;

/// An installed package.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    /// Normalised: lower case, `-` between words.
    pub(crate) name: String,
    /// As written.
    pub(crate) version: String,
    /// Of other packages, with their markers. One that cannot be parsed is left out.
    pub(crate) requires: Vec<Requirement>,
    /// The folder or file with the metadata.
    pub(crate) info: PathBuf,
    /// Its metadata cannot be read; name and version are those of the folder.
    pub(crate) unreadable: bool,
}

impl Package {
    /// Reads a `*.dist-info` folder or an `*.egg-info` folder or file, or the folder's name where nothing else tells
    /// name and version; `None` if that does not either.
    pub(super) fn read(info: &Path) -> Option<Self> {
        let files = [info.join("METADATA"), info.join("PKG-INFO"), info.to_owned()];
        let metadata = files.iter().find_map(|file| text::text(file, MAX_BYTES).ok());
        let told = metadata.and_then(|metadata| Self::parse(&metadata, info));
        told.or_else(|| Self::of_folder(info))
    }

    /// `torch-2.9.1.dist-info`
    fn of_folder(info: &Path) -> Option<Self> {
        let (name, version) = info
            .file_name()?
            .to_str()?
            .strip_suffix(".dist-info")?
            .split_once('-')?;
        Some(Self {
            name: normalise(name),
            version: version.to_owned(),
            requires: Vec::new(),
            info: info.to_owned(),
            unreadable: true,
        })
    }

    fn parse(metadata: &str, info: &Path) -> Option<Self> {
        Some(Self {
            name: normalise(fields(metadata, "Name").next()?),
            version: fields(metadata, "Version").next()?.to_owned(),
            requires: fields(metadata, "Requires-Dist")
                .filter(|text| text.len() <= MAX_REQUIREMENT_BYTES)
                .filter_map(|text| Requirement::from_str(text).ok())
                .collect(),
            info: info.to_owned(),
            unreadable: false,
        })
    }

    /// The name of the metadata's folder, such as `torch-2.9.1.dist-info`.
    pub(crate) fn record(&self) -> String {
        let name = self.info.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}

/// PyPA's normalisation of names; what can be no package's name stays.
pub(crate) fn normalise(name: &str) -> String {
    PackageName::from_str(name).map_or_else(|_| name.to_owned(), |name| name.to_string())
}

/// Values of a header, before the first empty line; case makes no difference in its name.
fn fields<'text>(text: &'text str, key: &'text str) -> impl Iterator<Item = &'text str> {
    let headers = text.lines().take_while(|line| !line.is_empty());
    headers.filter_map(move |line| {
        let (name, value) = line.split_once(':')?;
        let value = value.trim();
        (name.eq_ignore_ascii_case(key) && !value.is_empty()).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises_as_pypa_does() {
        assert_eq!(normalise("Nvidia__CuBLAS.cu12"), "nvidia-cublas-cu12");
    }

    #[test]
    fn headers_end_at_the_empty_line() {
        let text = "Name: x\nVersion: 1\n\nRequires-Dist: torch==1\n";
        assert_eq!(fields(text, "Requires-Dist").count(), 0);
        assert_eq!(fields(text, "Version").next(), Some("1"));
    }
}
