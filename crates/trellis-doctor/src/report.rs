//! The report: what was looked at, the table of machine code, and the findings.

use std::path::PathBuf;

use serde::Serialize;

use crate::code::LibraryCode;
use crate::conclusion::{Conclusion, Looked};
use crate::environment::PythonVersion;
use crate::finding::{Finding, Level};
use trellis_core::{Capability, Model};

/// Raised when a field of the JSON form changes its meaning or goes.
const SCHEMA: u32 = 1;

/// All that the doctor has to say. Its serialised form is `--json`; `docs/doctor.md` describes it.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Of this form.
    pub schema: u32,
    /// The Python environment, if one was looked at.
    pub environment: Option<PathBuf>,
    /// Its Python.
    pub python: Option<PythonVersion>,
    /// The models whose code it has, and for which it was checked.
    pub models: Vec<Model>,
    /// What the machine code was judged for.
    pub capability: Capability,
    /// The worst of the findings.
    pub level: Level,
    /// Whether TRELLIS can run here, and whether the preview can.
    pub verdict: Conclusion,
    /// In the order of the checks, the worst of each first.
    pub findings: Vec<Finding>,
    /// Every library with device code.
    pub libraries: Vec<LibraryCode>,
    /// Besides what the findings say.
    #[serde(skip)]
    looked: Looked,
}

impl Report {
    /// An empty report for a capability.
    pub fn new(capability: Capability) -> Self {
        Self {
            schema: SCHEMA,
            environment: None,
            python: None,
            models: Vec::new(),
            capability,
            level: Level::Ok,
            verdict: Conclusion::of(&[], Looked::default()),
            findings: Vec::new(),
            libraries: Vec::new(),
            looked: Looked::default(),
        }
    }

    /// Adds findings and keeps the order.
    pub fn add(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
        self.findings.sort_by(|a, b| {
            let key = |finding: &Finding| (finding.check, std::cmp::Reverse(finding.level));
            key(a).cmp(&key(b)).then_with(|| a.subject.cmp(&b.subject))
        });
        let levels = self.findings.iter().map(|finding| finding.level);
        self.level = levels.max().unwrap_or(Level::Ok);
        self.verdict = Conclusion::of(&self.findings, self.looked);
    }

    /// Says what was looked at, for the verdict.
    pub fn look(&mut self, looked: Looked) {
        self.looked = looked;
        self.verdict = Conclusion::of(&self.findings, looked);
    }

    /// How many findings are of a level.
    pub fn count(&self, level: Level) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.level == level)
            .count()
    }

    /// 0 fine, 1 warnings when they count, 2 errors: the verdict is then "no".
    pub fn exit_code(&self, strict: bool) -> u8 {
        match self.level {
            Level::Error => 2,
            Level::Warn if strict => 1,
            Level::Warn | Level::Ok => 0,
        }
    }
}
