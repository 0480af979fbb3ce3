//! What stands in a blob folder, told by its names: folders of a period and of a job, files and whose they are, and what
//! writes that were cut off left behind.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use trellis_core::JobId;

/// What is gone already need not be removed.
pub(crate) fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// The entries of a folder; none where it is gone. A link is not followed: what is behind it is not ours to judge.
pub(crate) fn entries(folder: &Path) -> io::Result<Vec<fs::DirEntry>> {
    if fs::symlink_metadata(folder).is_ok_and(|about| !about.is_dir()) {
        return Ok(Vec::new());
    }
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.collect(),
    }
}

/// The job whose file has that name.
pub(crate) fn owner(name: &str) -> Option<JobId> {
    name.split_once('.')?.0.parse().ok()
}

/// The job for which that file was written to its end.
pub(crate) fn written_for(name: &str) -> Option<JobId> {
    owner(name).filter(|_| !is_staging(name))
}

/// The attempt that made the job's file of that name.
pub(crate) fn attempt(job: JobId, name: &str) -> Option<u32> {
    let (owner, rest) = name.split_once('.')?;
    let rest = rest.strip_prefix("statement.").unwrap_or(rest);
    let (number, _) = rest.split_once('.')?;
    (owner.parse() == Ok(job)).then(|| number.parse().ok())?
}

/// Whether a folder of that name holds the files of the jobs of one period.
pub(crate) fn is_period(name: &str) -> bool {
    name.len() == 7 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Removes what was left behind in a folder and below, where nothing was added for so long; returns how many.
pub(crate) fn sweep_staging(folder: &Path, untouched_for: Duration) -> io::Result<u64> {
    let mut removed = 0;
    for entry in entries(folder)? {
        let Ok(found) = entry.metadata() else { continue };
        if found.is_dir() {
            removed += sweep_staging(&entry.path(), untouched_for)?;
            continue;
        }
        let old = SystemTime::now()
            .duration_since(found.modified()?)
            .is_ok_and(|age| age >= untouched_for);
        if old && is_staging(&entry.file_name().to_string_lossy()) && fs::remove_file(entry.path()).is_ok() {
            removed += 1;
        }
    }
    Ok(removed)
}

/// A name beside a blob's place, for writing it.
pub(crate) fn staging_name(place: &Path) -> PathBuf {
    let mut name = place.as_os_str().to_owned();
    name.push(format!("#{}", rand::random::<u64>()));
    name.into()
}

/// No blob has such a name.
pub(crate) fn is_staging(name: &str) -> bool {
    let number = name.rsplit_once('#').map_or("", |(_, number)| number);
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}
