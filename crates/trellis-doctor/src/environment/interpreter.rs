//! Is the interpreter of a virtual environment still there, and of which version is it?
//!
//! An environment holds a link to the Python that it was made with, and `pyvenv.cfg` names that one's folder.
//! After an upgrade of the system both may lead nowhere.

use std::path::{Path, PathBuf};

use super::{Environment, PythonVersion, configuration, configured_version};
use crate::text;

/// What leads nowhere, in words; `None` where all is well, and where a folder is no environment with a
/// Python of its own.
pub(super) fn gone(root: &Path) -> Option<String> {
    let paths = ["bin/python3", "bin/python"].map(|name| root.join(name));
    let dangling = paths.iter().find(|path| path.is_symlink() && !path.exists());
    if let Some(link) = dangling.filter(|_| !paths.iter().any(|path| path.exists())) {
        let target = link.read_link().unwrap_or_default();
        let name = link.strip_prefix(root).unwrap_or(link);
        return Some(format!(
            "`{}` is a broken link: `{}` does not exist",
            name.display(),
            target.display()
        ));
    }
    if !root.join("pyvenv.cfg").is_file() {
        return None;
    }
    let home = configuration(root, &["home"]).filter(|home| !Path::new(home).is_dir());
    if let Some(home) = home {
        return Some(format!(
            "`pyvenv.cfg` names the Python in `{home}`, which does not exist"
        ));
    }
    let none = !paths.iter().any(|path| path.exists());
    none.then(|| "there is no `bin/python3`".to_owned())
}

/// The version of the interpreter, where the environment's configuration or the program's own name tells it.
pub(super) fn version(root: &Path) -> Option<PythonVersion> {
    configured_version(root).or_else(|| {
        let paths = ["bin/python3", "bin/python"].map(|name| root.join(name));
        let real = paths.iter().find_map(|path| path.canonicalize().ok())?;
        let name = real.file_name()?.to_str()?;
        PythonVersion::parse(name.strip_prefix("python")?)
    })
}

/// The environment that an interpreter runs, by Python's own rules: the folder with `pyvenv.cfg`, else the one above
/// the real program's `bin`. `None` where files do not tell it, as for a script that runs a Python elsewhere.
pub fn environment_of(python: &Path) -> Option<PathBuf> {
    let python = std::path::absolute(python).ok()?;
    let folder = python.parent()?;
    let above = folder.parent();
    if is_script(&python) {
        let prefix = above.filter(|_| folder.ends_with("bin"))?;
        let script = text::small(&python).ok()?;
        let runs_another = names_interpreter(&script) && !script.contains(&prefix.display().to_string());
        return (!runs_another && holds_environment(prefix)).then(|| prefix.to_owned());
    }
    let configured = [above, Some(folder)].into_iter().flatten();
    if let Some(prefix) = configured
        .into_iter()
        .find(|prefix| prefix.join("pyvenv.cfg").is_file())
    {
        return Some(prefix.to_owned());
    }
    let real = python.canonicalize().ok()?;
    let of_real = real.parent().and_then(Path::parent);
    let mut prefixes = [of_real, above].into_iter().flatten();
    prefixes
        .find(|prefix| holds_environment(prefix))
        .map(Path::to_owned)
}

fn is_script(path: &Path) -> bool {
    text::bytes(path, 2).is_ok_and(|start| start == b"#!")
}

/// Whether a script's text has the path of a Python program, such as `/opt/env/bin/python3`.
fn names_interpreter(script: &str) -> bool {
    let body = script.lines().skip(1);
    body.into_iter().any(|line| line.contains("/bin/python"))
}

fn holds_environment(prefix: &Path) -> bool {
    prefix.parent().is_some() && Environment::discover(prefix).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_that_run_a_python_elsewhere_are_told_by_their_text() {
        assert!(names_interpreter("#!/bin/sh\nexec /opt/env/bin/python3 \"$@\"\n"));
        assert!(!names_interpreter("#!/usr/bin/python3\nimport sys\n"));
    }
}
