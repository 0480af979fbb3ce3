//! A machine of its own for each test, and the binary run on it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::sample::{self, Length};
use tempfile::TempDir;
use trellis_models::Places;

use crate::stand_in::{Script, StandIn};

/// The repository that the hub has.
pub(crate) const REPO: &str = "org/model";

/// Home, caches and models in a temporary folder.
pub(crate) struct Machine {
    root: TempDir,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self::with(Length::Published)
    }

    /// With extras that are quick to hash, but are not the published ones.
    pub(crate) fn with_small_extras() -> Self {
        Self::with(Length::Small)
    }

    fn with(length: Length) -> Self {
        let machine = Self {
            root: tempfile::tempdir().unwrap(),
        };
        let places = Places::from_env(|name| (name == "HOME").then(|| machine.root.path().into()));
        sample::write_extras(&places, length).unwrap();
        machine
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// A whole model in a folder.
    pub(crate) fn model(&self, name: &str) -> PathBuf {
        sample::write_model(&self.path(name)).unwrap();
        self.path(name)
    }

    /// The folder of the reference notes, called `model`.
    pub(crate) fn model_of_the_notes(&self) -> PathBuf {
        sample::write_model_of_the_notes(&self.path("model")).unwrap();
        self.path("model")
    }

    /// `trellis model …` in the machine's folder, with nothing of this process's environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trellis"));
        command.arg("model").args(arguments).current_dir(self.root.path());
        command
            .env_clear()
            .env("HOME", self.root.path())
            .env("NO_PROXY", "*")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Exit code, standard output and standard error, with what differs from run to run replaced.
    pub(crate) fn transcript(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        self.told(&output)
    }

    pub(crate) fn told(&self, output: &Output) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let all = format!(
            "exit {}\n--- stdout\n{}--- stderr\n{}",
            output.status.code().unwrap_or(-1),
            text(&output.stdout),
            text(&output.stderr)
        );
        all.replace(&self.root.path().display().to_string(), "~")
    }

    /// A hub that has the model in `folder` as `org/model`.
    pub(crate) async fn hub(&self, folder: &Path) -> StandIn {
        StandIn::start(Script::with_folder(REPO, folder)).await
    }
}

/// Runs a command without blocking the hub.
pub(crate) async fn finished(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}
