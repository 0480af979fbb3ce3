//! The folders in which backends put files while they work.

use std::io;
use std::path::{Path, PathBuf};

use trellis_core::JobId;

/// Makes an empty folder for an attempt.
pub(crate) async fn make(root: &Path, job: JobId, attempt: u32) -> io::Result<PathBuf> {
    let folder = folder(root, job, attempt);
    remove(&folder).await;
    tokio::fs::create_dir_all(&folder).await?;
    Ok(folder)
}

/// Where an attempt works.
pub(crate) fn folder(root: &Path, job: JobId, attempt: u32) -> PathBuf {
    root.join(format!("{job}.{attempt}"))
}

/// Removes an attempt's folder; what cannot be removed now is swept at the next start.
pub(crate) async fn remove(folder: &Path) {
    let _ = tokio::fs::remove_dir_all(folder).await;
}

/// Removes what a killed process left. Only folders named like an attempt: the place may hold other things.
pub(crate) async fn sweep(root: &Path) {
    let Ok(mut entries) = tokio::fs::read_dir(root).await else {
        return;
    };
    while let Ok(Some(entry)) = entries.next_entry().await {
        if entry.file_name().to_str().is_some_and(is_attempt) {
            remove(&entry.path()).await;
        }
    }
}

fn is_attempt(name: &str) -> bool {
    name.split_once('.')
        .is_some_and(|(job, attempt)| job.parse::<JobId>().is_ok() && attempt.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sweeps_attempts_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let attempt = root.path().join("01890a5d-ac96-774b-bcce-b302099a8057.2");
        let other = root.path().join("01890a5d-ac96-774b-bcce-b302099a8057.txt");
        std::fs::create_dir_all(attempt.join("deep")).unwrap();
        std::fs::create_dir(&other).unwrap();
        sweep(root.path()).await;
        assert!(!attempt.exists());
        assert!(other.exists());
    }
}
