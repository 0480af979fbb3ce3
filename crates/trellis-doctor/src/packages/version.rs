//! Versions of Python packages, as far as comparing releases needs (PEP 440).

use std::cmp::Ordering;
use std::fmt;

/// A release such as `0.0.33.post2`; a local part (`+cu128`) is kept for display and not compared.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    text: String,
    release: Vec<u64>,
    /// −1 for a pre-release, 0 for the release itself, n + 1 for `.postn`.
    stage: i64,
}

impl Version {
    /// Reads a version; `None` if it has no numbers at its start.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let public = text.split('+').next()?;
        let end = public
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(public.len());
        let (numbers, rest) = public.split_at(end);
        let parts = numbers.trim_end_matches('.').split('.');
        let release = parts
            .map(|part| part.parse().ok())
            .collect::<Option<Vec<u64>>>()?;
        let stage = match rest.trim_start_matches(['-', '_', '.']) {
            "" => 0,
            rest => match rest.strip_prefix("post") {
                Some(number) => number.parse::<i64>().ok()?.checked_add(1)?,
                None => -1,
            },
        };
        Some(Self {
            text: text.to_owned(),
            release,
            stage,
        })
    }

    /// Whether the release begins with the same numbers, as `==2.9.*` asks.
    pub(crate) fn starts_with(&self, prefix: &Self) -> bool {
        let padded = self.release.iter().copied().chain(std::iter::repeat(0));
        prefix.release.iter().copied().zip(padded).all(|(a, b)| a == b)
    }

    /// The numbers without the last, for `~=`.
    pub(crate) fn parent(&self) -> Option<Self> {
        let (_, release) = self.release.split_last()?;
        Some(Self {
            text: self.text.clone(),
            release: release.to_vec(),
            stage: 0,
        })
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let length = self.release.len().max(other.release.len());
        let padded = |version: &Self| {
            let mut release = version.release.clone();
            release.resize(length, 0);
            (release, version.stage)
        };
        padded(self).cmp(&padded(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn orders_releases() {
        let ordered = ["2.9.0rc1", "2.9", "2.9.1", "2.10.0"].map(version);
        assert!(ordered.is_sorted());
        assert!(version("0.0.33") < version("0.0.33.post1"));
        assert!(version("0.0.33.post1") < version("0.0.33.post2"));
        assert_eq!(version("2.9.1+cu128"), version("2.9.1"));
        assert_eq!(version("2.9"), version("2.9.0"));
        assert!(Version::parse("unknown").is_none());
        assert!(Version::parse("99999999999999999999").is_none());
    }
}
