//! A command in a terminal of its own (`in_terminal.py`).

use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

/// What came of it.
#[derive(Debug, Deserialize)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) output: String,
    /// Whether the terminal is set as before.
    pub(crate) restored: bool,
    /// The text that did not come.
    pub(crate) missing: Option<String>,
}

impl Ended {
    /// Checks that the screen was taken and given back, and that nothing was waited for in vain.
    #[track_caller]
    pub(crate) fn is_clean(&self) {
        assert_eq!(self.missing, None, "{}", self.output);
        assert!(self.restored, "the terminal is set otherwise\n{}", self.output);
        let last = |sequence: &str| self.output.rfind(sequence);
        assert!(last("\x1b[?1049h") < last("\x1b[?1049l"), "{:?}", self.output);
        assert!(last("\x1b[?25l") < last("\x1b[?25h"), "{:?}", self.output);
    }
}

/// Runs `command` in a terminal of 80×24, step by step.
pub(crate) fn in_terminal(command: &Command, steps: &Value) -> Ended {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kit/in_terminal.py");
    let mut python = Command::new("python3");
    python
        .arg(script)
        .args(["80", "24", &steps.to_string()])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        python.env(name, value.unwrap_or_default());
    }
    let told = python.output().expect("python3 runs");
    serde_json::from_slice(&told.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&told.stderr)))
}
