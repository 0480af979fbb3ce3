//! The last line: can TRELLIS run here, and can the preview?

use std::fmt;

use serde::Serialize;

use crate::finding::{Check, Finding, Level};

/// Whether something runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// By all that was looked at.
    Yes,
    /// An error says why.
    No,
    /// Too little was looked at to say so.
    Unknown,
}

/// What a report looked at, besides its findings.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says of one thing whether it was looked at"
)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looked {
    /// A Python environment.
    pub environment: bool,
    /// This machine's GPU is the one to run on, rather than one elsewhere.
    pub gpu: bool,
    /// A model folder.
    pub model: bool,
    /// The environment was run, too.
    pub probe: bool,
}

/// The report in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conclusion {
    /// Whether TRELLIS can run here.
    pub trellis: Answer,
    /// Why not, or what was not looked at; empty if nothing is left to say.
    pub because: String,
    /// Whether the preview can, which needs neither Python nor a GPU.
    pub preview: Answer,
}

impl Conclusion {
    /// By the findings, which are in the order of the report.
    pub(crate) fn of(findings: &[Finding], looked: Looked) -> Self {
        let errors: Vec<&Finding> = findings.iter().filter(|one| one.level == Level::Error).collect();
        let host = errors.iter().any(|error| error.check == Check::Host);
        let (trellis, because) = match errors.split_first() {
            Some((first, others)) => (Answer::No, reason(first, others.len())),
            None => unlooked(looked),
        };
        Self {
            trellis,
            because,
            preview: if host { Answer::No } else { Answer::Yes },
        }
    }
}

/// First words of messages that go on from their subject.
const PREDICATES: [&str; 13] = [
    "shares", "is", "has", "needs", "cannot", "requires", "was", "lacks", "failed", "did", "compiles",
    "names", "are",
];

/// The first error; the others are above it in the report.
fn reason(first: &Finding, others: usize) -> String {
    let more = match others {
        0 => String::new(),
        1 => " (and 1 more error)".to_owned(),
        _ => format!(" (and {others} more errors)"),
    };
    let (subject, message) = (one_line(&first.subject), one_line(&first.message));
    // Most messages go on from their subject; others are sentences of their own.
    let goes_on = PREDICATES.contains(&message.split(' ').next().unwrap_or_default());
    match (goes_on, first.check) {
        (true, _) => format!("{subject} {message}{more}"),
        (false, Check::Environment | Check::Gpu | Check::Model) => format!("{message}{more}"),
        (false, _) => format!("{subject}: {message}{more}"),
    }
}

/// Without control characters: a name may hold anything, and the verdict is one line.
pub(crate) fn one_line(text: &str) -> String {
    let escaped = text.chars().map(|c| {
        if c.is_control() {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    });
    escaped.collect()
}

/// The answer without errors, by what was looked at.
fn unlooked(looked: Looked) -> (Answer, String) {
    let mut not = Vec::new();
    if !looked.environment {
        not.push("no Python environment was checked");
    }
    if !looked.gpu {
        not.push("no GPU of this machine was checked");
    }
    let enough = not.is_empty();
    if !looked.model {
        not.push("no model folder was named");
    }
    if !looked.probe && enough {
        not.push("nothing was run (`--probe` does)");
    }
    let answer = if enough { Answer::Yes } else { Answer::Unknown };
    (answer, not.join(", "))
}

impl fmt::Display for Conclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let because = &self.because;
        f.write_str("TRELLIS can run here: ")?;
        match self.trellis {
            Answer::Yes if because.is_empty() => f.write_str("yes"),
            Answer::Yes => write!(f, "yes ({because})"),
            Answer::No => write!(f, "no, because {because}"),
            Answer::Unknown => write!(f, "unknown, because {because}"),
        }?;
        let preview = match self.preview {
            Answer::Yes => "yes",
            Answer::No => "no, because of the host",
            Answer::Unknown => "unknown",
        };
        write!(f, "; the preview: {preview}")
    }
}
