//! What was compared and what came of it: a line each for people, JSON for scripts.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;
use trellis_backend::verify::{Check, Verdict};
use trellis_core::{Provenance, Sha256};

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
        let backend = self.provenance.backend.escape_debug();
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
