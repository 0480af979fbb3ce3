//! Is the interpreter of a virtual environment still there?
//!
//! An environment holds a link to the Python that it was made with, and `pyvenv.cfg` names that one's folder.
//! After an upgrade of the system both may lead nowhere.

use std::path::Path;

use super::configuration;

/// What leads nowhere, in words; `None` where all is well, and where a folder is no environment with a
/// Python of its own.
pub(super) fn gone(root: &Path) -> Option<String> {
    let paths = ["bin/python3", "bin/python"].map(|name| root.join(name));
    let dangling = paths.iter().find(|path| path.is_symlink() && !path.exists());
    if let Some(link) = dangling.filter(|_| !paths.iter().any(|path| path.exists())) {
        let target = link.read_link().unwrap_or_default();
        let name = link.strip_prefix(root).unwrap_or(link);
        return Some(format!(
            "`{}` is a link to `{}`, which is not there",
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
            "`pyvenv.cfg` names the Python in `{home}`, which is not there"
        ));
    }
    let none = !paths.iter().any(|path| path.exists());
    none.then(|| "there is no `bin/python3`".to_owned())
}
