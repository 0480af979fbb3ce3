//! One comparison and what came of it.

use serde::Serialize;

/// What came of one comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It agrees.
    Same,
    /// It differs.
    Differs,
    /// It was not compared.
    Open,
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was compared, one word or two.
    pub about: &'static str,
    /// What came of it.
    pub verdict: Verdict,
    /// What was found, one line without control characters.
    pub detail: String,
}

impl Check {
    pub(crate) fn same(about: &'static str, detail: impl Into<String>) -> Self {
        Self::new(about, Verdict::Same, detail)
    }

    pub(crate) fn differs(about: &'static str, detail: impl Into<String>) -> Self {
        Self::new(about, Verdict::Differs, detail)
    }

    pub(crate) fn open(about: &'static str, detail: impl Into<String>) -> Self {
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
