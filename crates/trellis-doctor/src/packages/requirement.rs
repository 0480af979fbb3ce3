//! What a package requires of another: a name and comparisons, as in `torch (>=2.8,<2.10) ; marker`.
//!
//! A requirement with a marker other than a plain Linux one is left out: markers name extras, other
//! systems or other Pythons, and a check that cannot tell must not accuse.

use std::fmt;

use super::{Version, metadata::normalise};

/// A requirement of another package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Requirement {
    /// Normalised.
    pub(crate) name: String,
    clauses: Vec<(Comparison, Bound)>,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    AtLeast,
    AtMost,
    Above,
    Below,
    Compatible,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Bound {
    version: Version,
    /// `2.9.*`
    prefix: bool,
}

const COMPARISONS: [(&str, Comparison); 8] = [
    ("===", Comparison::Equal),
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    (">=", Comparison::AtLeast),
    ("<=", Comparison::AtMost),
    ("~=", Comparison::Compatible),
    (">", Comparison::Above),
    ("<", Comparison::Below),
];

impl Requirement {
    /// Reads a `Requires-Dist` value; `None` where it does not hold here or cannot be judged.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (text, marker) = text.split_once(';').unwrap_or((text, ""));
        let linux = ["", "platform_system==\"Linux\"", "sys_platform==\"linux\""];
        let marker: String = marker.split_whitespace().collect::<String>().replace('\'', "\"");
        if !linux.contains(&marker.as_str()) {
            return None;
        }
        let end = text
            .find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)))
            .unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let rest = rest.trim().trim_matches(['(', ')']);
        let rest = rest.split_once(']').map_or(rest, |(_, behind)| behind);
        let parts = rest.split(',').map(str::trim).filter(|part| !part.is_empty());
        Some(Self {
            name: normalise(name),
            clauses: parts.map(clause).collect::<Option<_>>()?,
            text: rest.split_whitespace().collect(),
        })
    }

    /// Whether a version fits.
    pub(crate) fn allows(&self, version: &Version) -> bool {
        self.clauses.iter().all(|(comparison, bound)| {
            let wanted = &bound.version;
            match comparison {
                Comparison::Equal if bound.prefix => version.starts_with(wanted),
                Comparison::NotEqual if bound.prefix => !version.starts_with(wanted),
                Comparison::Equal => version == wanted,
                Comparison::NotEqual => version != wanted,
                Comparison::AtLeast => version >= wanted,
                Comparison::AtMost => version <= wanted,
                Comparison::Above => version > wanted,
                Comparison::Below => version < wanted,
                Comparison::Compatible => {
                    version >= wanted && wanted.parent().is_none_or(|parent| version.starts_with(&parent))
                }
            }
        })
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name, self.text)
    }
}

fn clause(text: &str) -> Option<(Comparison, Bound)> {
    let (sign, comparison) = COMPARISONS.iter().find(|(sign, _)| text.starts_with(sign))?;
    let version = text.strip_prefix(sign)?.trim();
    let (version, prefix) = version
        .strip_suffix(".*")
        .map_or((version, false), |version| (version, true));
    let version = Version::parse(version)?;
    Some((*comparison, Bound { version, prefix }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(requirement: &str, version: &str) -> bool {
        let version = Version::parse(version).unwrap();
        Requirement::parse(requirement).unwrap().allows(&version)
    }

    #[test]
    fn compares_as_pip_does() {
        assert!(allows("torch==2.9.1", "2.9.1+cu128"));
        assert!(!allows("torch==2.9.1", "2.8.0"));
        assert!(allows("torch (>=2.8,<2.10)", "2.9.1"));
        assert!(!allows("torch (>=2.8,<2.10)", "2.10.0"));
        assert!(allows("numpy~=1.26", "1.27"));
        assert!(!allows("numpy~=1.26", "2.0"));
        assert!(allows("x[y]==1.*; platform_system == \"Linux\"", "1.7"));
        assert!(allows("numpy", "3"));
    }

    #[test]
    fn what_it_cannot_judge_is_left_out() {
        for text in [
            "x; extra == 'dev'",
            "x; python_version < '3.9'",
            "x @ https://example.org/x.whl",
        ] {
            assert_eq!(Requirement::parse(text), None, "{text}");
        }
    }
}
