//! The folders in which backends put files while they work.

use std::io;
use std::path::{Path, PathBuf};

use trellis_core::JobId;

/// Makes an empty folder for an attempt.
pub(crate) async fn make(root: &Path, job: JobId, attempt: u32) -> io::Result<PathBuf> {
    let folder = folder(root, job, attempt);
    let made = tokio::task::spawn_blocking(move || {
        match std::fs::create_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                std::fs::remove_dir_all(&folder)?;
                std::fs::create_dir(&folder)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => std::fs::create_dir_all(&folder)?,
            made => made?,
        }
        Ok(folder)
    });
    made.await.unwrap_or_else(|panic| Err(panic.into()))
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
    async fn what_is_in_the_way_goes() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().join("not/there/yet");
        let job: JobId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let made = make(&root, job, 2).await.unwrap();
        std::fs::write(made.join("left"), "").unwrap();
        assert_eq!(make(&root, job, 2).await.unwrap(), made);
        assert_eq!(std::fs::read_dir(&made).unwrap().count(), 0);
    }

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
