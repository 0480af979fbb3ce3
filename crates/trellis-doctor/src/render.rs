//! The report as text for people.

use std::fmt::Write as _;

use crate::code::LibraryCode;
use crate::conclusion::one_line;
use crate::finding::{Check, Finding, Level};
use crate::report::Report;

/// Exact names shown of one finding; all are in the JSON form.
const MAX_EVIDENCE: usize = 8;

impl Report {
    /// The whole report. Colour repeats what the signs say.
    pub fn to_text(&self, colours: bool) -> String {
        let mut text = self.heading();
        let mut open = None;
        for finding in &self.findings {
            if open != Some(finding.check) {
                let _ = writeln!(text, "\n{}", paint(finding.check.title(), "1", colours));
                open = Some(finding.check);
                if finding.check == Check::MachineCode {
                    text.push_str(&table(&self.libraries));
                }
            }
            text.push_str(&line(finding, colours));
        }
        let _ = writeln!(text, "\n{}", self.summary());
        text
    }

    /// The last line of the text: the verdict. What else is to be said stands before it.
    pub fn last_line(&self) -> String {
        format!("{}\n", self.verdict)
    }

    /// The errors alone, in the words of the report; `None` if there are none. For whoever must not start.
    pub fn refusal(&self) -> Option<String> {
        let errors = self
            .findings
            .iter()
            .filter(|finding| finding.level == Level::Error);
        let lines: String = errors.map(|finding| line(finding, false)).collect();
        (!lines.is_empty()).then_some(lines)
    }

    fn heading(&self) -> String {
        let mut text = String::new();
        match (&self.environment, self.python) {
            (Some(root), Some(python)) => {
                let _ = write!(text, "{} (Python {python}), ", root.display());
            }
            (Some(root), None) => {
                let _ = write!(text, "{}, ", root.display());
            }
            (None, _) => text.push_str("no Python environment, "),
        }
        let _ = writeln!(text, "capability {}", self.capability);
        text
    }

    fn summary(&self) -> String {
        let count = |level: Level, one: &str, many: &str| match self.count(level) {
            0 => format!("no {many}"),
            1 => format!("1 {one}"),
            number => format!("{number} {many}"),
        };
        let (errors, warnings) = (
            count(Level::Error, "error", "errors"),
            count(Level::Warn, "warning", "warnings"),
        );
        format!("{errors}, {warnings}")
    }
}

fn line(finding: &Finding, colours: bool) -> String {
    let (sign, code) = match finding.level {
        Level::Ok => ("✓", "32"),
        Level::Warn => ("!", "33"),
        Level::Error => ("✗", "1;31"),
    };
    let mut text = format!(
        "  {} {}: {}\n",
        paint(sign, code, colours),
        one_line(&finding.subject),
        one_line(&finding.message)
    );
    // What a step of the probe prints is its answer.
    if finding.level > Level::Ok || finding.check == Check::Probe {
        for name in finding.evidence.iter().take(MAX_EVIDENCE) {
            let _ = writeln!(text, "      {}", one_line(name));
        }
        if let Some(more) = finding
            .evidence
            .len()
            .checked_sub(MAX_EVIDENCE)
            .filter(|more| *more > 0)
        {
            let _ = writeln!(text, "      and {more} more, see `--json`");
        }
    }
    if !finding.advice.is_empty() {
        let _ = writeln!(text, "    → {}", one_line(&finding.advice));
    }
    text
}

/// Columns as wide as their widest cell.
fn table(libraries: &[LibraryCode]) -> String {
    if libraries.is_empty() {
        return String::new();
    }
    let head = ["library", "images", "SASS", "PTX", "verdict"].map(str::to_owned);
    let rows = libraries.iter().map(|library| {
        [
            library.library.clone(),
            library.images.to_string(),
            short(&library.sass()),
            short(&library.ptx()),
            library.verdict.to_string(),
        ]
    });
    let rows: Vec<[String; 5]> = std::iter::once(head).chain(rows).collect();
    let widths: [usize; 5] = std::array::from_fn(|column| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    });
    let mut text = String::new();
    for row in &rows {
        let cells = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        let _ = writeln!(text, "  {}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    text
}

/// `sm_75, sm_80` → `75 80`; the column's head says what they are.
fn short(archs: &[&str]) -> String {
    let numbers = archs.iter().map(|arch| arch.rsplit('_').next().unwrap_or(arch));
    let list = numbers.collect::<Vec<_>>().join(" ");
    if list.is_empty() { "–".to_owned() } else { list }
}

fn paint(text: &str, code: &str, colours: bool) -> String {
    if colours {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
