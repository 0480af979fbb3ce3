//! What was compared and what came of it: a line each for people, JSON for scripts.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;
use trellis_core::{Provenance, Sha256};

/// What came of one comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// It agrees.
    Same,
    /// It differs.
    Differs,
    /// It was not compared.
    Open,
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    about: &'static str,
    verdict: Verdict,
    detail: String,
}

impl Check {
    pub(super) fn same(about: &'static str, detail: impl Into<String>) -> Self {
        Self::new(about, Verdict::Same, detail)
    }

    pub(super) fn differs(about: &'static str, detail: impl Into<String>) -> Self {
        Self::new(about, Verdict::Differs, detail)
    }

    pub(super) fn open(about: &'static str, detail: impl Into<String>) -> Self {
        Self::new(about, Verdict::Open, detail)
    }

    fn new(about: &'static str, verdict: Verdict, detail: impl Into<String>) -> Self {
        Self {
            about,
            verdict,
            detail: plain(&detail.into()),
        }
    }
}

/// Everything that was compared.
#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    pub(super) file: &'a Path,
    pub(super) sha256: Sha256,
    pub(super) provenance: &'a Provenance,
    pub(super) checks: Vec<Check>,
}

impl Report<'_> {
    /// Whether nothing differs.
    pub(super) fn is_same(&self) -> bool {
        self.checks.iter().all(|check| check.verdict != Verdict::Differs)
    }

    pub(super) fn to_text(&self) -> String {
        let backend = plain(&self.provenance.backend);
        let mut text = format!("{}: made by {backend}\n", self.file.display());
        for check in &self.checks {
            let mark = match check.verdict {
                Verdict::Same => '✓',
                Verdict::Differs => '✗',
                Verdict::Open => '–',
            };
            let _ = writeln!(text, "  {mark} {:<11} {}", check.about, check.detail);
        }
        let count = |verdict| {
            self.checks
                .iter()
                .filter(|check| check.verdict == verdict)
                .count()
        };
        let _ = writeln!(
            text,
            "{} the same, {} different, {} not compared",
            count(Verdict::Same),
            count(Verdict::Differs),
            count(Verdict::Open),
        );
        text
    }

    pub(super) fn to_json(&self) -> String {
        let mut value = serde_json::to_value(self).unwrap_or_else(|error| {
            // A path that is not UTF-8 is the one thing that JSON cannot hold.
            serde_json::json!({ "checks": self.checks, "error": error.to_string() })
        });
        value["same"] = self.is_same().into();
        format!("{value:#}\n")
    }
}

/// A record is anybody's text: what would move a terminal's cursor is shown as an escape.
fn plain(text: &str) -> String {
    let escaped = text.chars().flat_map(|char| {
        let control = char.is_control().then(|| char.escape_default().to_string());
        control
            .unwrap_or_else(|| char.to_string())
            .chars()
            .collect::<Vec<_>>()
    });
    escaped.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_does_not_reach_the_terminal() {
        let check = Check::differs("gpu", "it was \u{1b}[2Jé\nfine");
        assert_eq!(check.detail, "it was \\u{1b}[2Jé\\nfine");
    }
}
