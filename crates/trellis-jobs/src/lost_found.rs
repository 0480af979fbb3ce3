//! Files of jobs that nobody knows, out of the way: `lost+found/JOB/…` in the blob folder. Unknown is not garbage: the
//! database may be new, or a copy of yesterday.
//!
//! Below `JOB/` they have the names that they had in the folder of their period, or in the job's own folder where an
//! earlier version kept them. Inside the blob folder, because moving them must be a rename: beside it, a folder of this
//! name may be the file system's own.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use trellis_core::JobId;

use crate::blobs::period;
use crate::folder_entries::{entries, is_staging, owner};
use crate::folders::{Folders, create_durably};
use crate::{BlobKey, plain_file};

/// The folder's name.
pub(crate) const NAME: &str = "lost+found";

/// Where a job's files are while it is set aside.
pub(crate) fn folder(root: &Path, job: JobId) -> PathBuf {
    root.join(NAME).join(job.to_string())
}

/// Opens a job's file, in its place or set aside.
pub(crate) fn open(root: &Path, job: JobId, key: &BlobKey) -> io::Result<File> {
    let place = key.as_str();
    match plain_file::open(root, place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Without the folder of its period, or of the job.
            let name = place.strip_prefix("jobs/").and_then(|rest| rest.split_once('/'));
            let (_, name) = name.ok_or(error)?;
            plain_file::open(root, &format!("{NAME}/{job}/{name}"))
        }
        opened => opened,
    }
}

/// Moves everything of a job there. A power cut may undo that.
pub(crate) fn set_aside(root: &Path, job: JobId, now: Timestamp) -> io::Result<()> {
    let to = folder(root, job);
    fs::create_dir_all(&to)?;
    let own_folder = root.join("jobs").join(job.to_string());
    for entry in entries(&own_folder)? {
        fs::rename(entry.path(), to.join(entry.file_name()))?;
    }
    let _ = fs::remove_dir(own_folder);
    let of_job = |name: &str| owner(name) == Some(job) && !is_staging(name);
    for entry in entries(&root.join("jobs").join(period(job)))? {
        if entry.file_name().to_str().is_some_and(of_job) {
            fs::rename(entry.path(), to.join(entry.file_name()))?;
        }
    }
    // From now on it waits; a file system without such times counts from its own.
    let _ = File::open(&to)?.set_modified(on_the_disk(now));
    Ok(())
}

/// The jobs that are set aside.
pub(crate) fn jobs(root: &Path) -> io::Result<Vec<JobId>> {
    let names = entries(&root.join(NAME))?.into_iter();
    let mut jobs: Vec<JobId> = names
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    jobs.sort_unstable();
    Ok(jobs)
}

/// Moves a job's files back; on disk when this returns. A file that has come into its place meanwhile stays.
pub(crate) fn bring_back(root: &Path, job: JobId, folders: &Folders) -> io::Result<()> {
    let from = folder(root, job);
    for entry in entries(&from)? {
        let of_period = entry.file_name().to_str().and_then(owner) == Some(job);
        let folder = if of_period { period(job) } else { job.to_string() };
        let folder = root.join("jobs").join(folder);
        create_durably(&folder)?;
        let place = folder.join(entry.file_name());
        if fs::symlink_metadata(&place).is_err() {
            folders.enter(&folder, || fs::rename(entry.path(), &place))?;
        }
    }
    let _ = fs::remove_dir(from);
    Ok(())
}

/// Removes what was set aside before that time.
pub(crate) fn sweep(root: &Path, before: Timestamp) -> io::Result<Vec<JobId>> {
    let mut swept = Vec::new();
    for job in jobs(root)? {
        let folder = folder(root, job);
        if fs::symlink_metadata(&folder)?.modified()? < on_the_disk(before) {
            fs::remove_dir_all(&folder)?;
            swept.push(job);
        }
    }
    Ok(swept)
}

/// A time as the file system has it; nothing was set aside before 1970.
fn on_the_disk(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::try_from(at.as_duration()).unwrap_or_default()
}
