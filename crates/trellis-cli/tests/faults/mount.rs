//! Small file systems of our own: only root may mount them.

use std::path::Path;
use std::process::Command;

/// A mounted tmpfs, unmounted when it is dropped.
pub(crate) struct Tmpfs<'a>(&'a Path);

impl<'a> Tmpfs<'a> {
    /// Mounts a tmpfs of that size on an existing folder. `None`, with a line that says why, where this
    /// machine does not let us.
    pub(crate) fn mount(folder: &'a Path, size: &str) -> Option<Self> {
        let output = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size},mode=0755"), "tmpfs"])
            .arg(folder)
            .output();
        match output {
            Ok(output) if output.status.success() => Some(Self(folder)),
            Ok(output) => {
                println!(
                    "skipped: no tmpfs: {}",
                    String::from_utf8_lossy(&output.stderr).trim()
                );
                None
            }
            Err(error) => {
                println!("skipped: no tmpfs: {error}");
                None
            }
        }
    }

    /// Makes it read-only or writable again.
    pub(crate) fn set_writable(&self, writable: bool) {
        let option = if writable { "remount,rw" } else { "remount,ro" };
        let status = Command::new("mount").args(["-o", option]).arg(self.0).status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "cannot remount with {option}"
        );
    }
}

impl Drop for Tmpfs<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}
