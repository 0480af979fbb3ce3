//! The server's data folder: one server at a time holds it, and it keeps that server's name.
//!
//! ```text
//! data_dir/
//!   server.lock    locked while a server runs; holds its process id
//!   server-name    under which this folder's server claims jobs, over restarts
//!   jobs.sqlite    the job database; beside it its log and its reserve on a full disk
//!   blobs/         pictures, assets and dockets of jobs; `lost+found` in it has those of jobs that the
//!                  database does not know
//!   scratch/       files of running jobs
//!   incoming/      pictures on their way to S3-compatible storage
//!   worker/        the worker's sources, written at each start
//!   cuda-cache/    what the driver compiled, unless `$CUDA_CACHE_PATH` is set
//!   numba-cache/   what numba compiled, unless `$NUMBA_CACHE_DIR` is set; triton-cache/ and warp-cache/ likewise
//! ```

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use tracing::{info, warn};
use trellis_jobs::WorkerName;

use crate::NodeError;

/// The file of the server's name.
const NAME: &str = "server-name";

/// An opened data folder. It is free for another server when this is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct DataDir {
    root: PathBuf,
    worker: WorkerName,
    _lock: File,
}

impl DataDir {
    /// Makes the folder where there is none, and takes it. `named`: somebody chose this place, so that the
    /// folder around it must be there already.
    pub(crate) fn open(root: &Path, named: bool) -> Result<Self, NodeError> {
        if let (true, Some(parent)) = (named, missing_parent(root)) {
            return Err(NodeError::NoParentFolder {
                root: root.to_owned(),
                parent,
            });
        }
        let unusable = |source| NodeError::DataFolder {
            root: root.to_owned(),
            source,
        };
        // Pictures and results are their owner's: nobody else's, whatever the umask was.
        rustix::process::umask(Mode::RWXG | Mode::RWXO);
        fs::create_dir_all(root).map_err(unusable)?;
        let lock = lock(root)?;
        close_to_others(root);
        let worker = name(root).map_err(unusable)?;
        Ok(Self {
            root: root.to_owned(),
            worker,
            _lock: lock,
        })
    }

    /// The name under which this server claims jobs, the same after a restart.
    pub(crate) fn worker(&self) -> &WorkerName {
        &self.worker
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The job database.
    pub(crate) fn database(&self) -> PathBuf {
        self.root.join("jobs.sqlite")
    }

    /// The folder of pictures and assets.
    pub(crate) fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    /// The folder for files of running jobs.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.root.join("scratch")
    }

    /// The folder for pictures that are not whole yet, where they go on over the network.
    pub(crate) fn incoming(&self) -> PathBuf {
        self.root.join("incoming")
    }
}

/// The folder around `root` where neither is there.
fn missing_parent(root: &Path) -> Option<PathBuf> {
    let parent = root.parent().filter(|parent| !parent.as_os_str().is_empty())?;
    (!root.exists() && !parent.exists()).then(|| parent.to_owned())
}

/// Closes a folder that an earlier version left open. A folder that is somebody else's stays as it is.
fn close_to_others(root: &Path) {
    let open = |about: &fs::Metadata| about.mode() & 0o077 != 0;
    if root.join(NAME).exists() && fs::metadata(root).as_ref().is_ok_and(open) {
        match fs::set_permissions(root, Permissions::from_mode(0o700)) {
            Ok(()) => {
                info!(folder = %root.display(), "the data folder was open to other users and is closed now");
            }
            Err(error) => warn!(folder = %root.display(), %error, "other users can read the data folder"),
        }
    }
}

fn lock(root: &Path) -> Result<File, NodeError> {
    let unusable = |source| NodeError::DataFolder {
        root: root.to_owned(),
        source,
    };
    let path = root.join("server.lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Its number is a help only: without it the message is still true.
            let _ = file.read_to_string(&mut holder);
            return Err(NodeError::DataFolderInUse {
                root: root.to_owned(),
                holder: holder.trim().to_owned(),
            });
        }
        Err(TryLockError::Error(source)) => return Err(unusable(source)),
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(unusable)?;
    Ok(file)
}

/// Reads the server's name, or gives it one that stays.
fn name(root: &Path) -> io::Result<WorkerName> {
    let path = root.join(NAME);
    match fs::read_to_string(&path) {
        Ok(name) if !name.trim().is_empty() => return Ok(WorkerName(name.trim().to_owned())),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let name = format!("server-{:016x}", rand::random::<u64>());
    let mut file = tempfile::NamedTempFile::new_in(root)?;
    writeln!(file, "{name}")?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    File::open(root)?.sync_all()?;
    Ok(WorkerName(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_server_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("deep/data");
        let first = DataDir::open(&root, false).unwrap();
        let error = DataDir::open(&root, false).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with(&format!("(process {})", std::process::id())),
            "{error}"
        );
        let name = first.worker().clone();
        drop(first);
        assert_eq!(*DataDir::open(&root, false).unwrap().worker(), name);
    }

    #[test]
    fn a_folder_is_closed_to_other_users() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("data");
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        drop(DataDir::open(&root, false).unwrap());
        assert_eq!((mode(&root), mode(&root.join(NAME))), (0o700, 0o600));
        fs::set_permissions(&root, Permissions::from_mode(0o755)).unwrap();
        drop(DataDir::open(&root, false).unwrap());
        assert_eq!(mode(&root), 0o700);
    }

    #[test]
    fn a_named_place_needs_the_folder_around_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("state")).unwrap();
        let typo = folder.path().join("sttae/data");
        let error = DataDir::open(&typo, true).unwrap_err();
        let meant = folder.path().join("state");
        assert!(
            error
                .advice()
                .starts_with(&format!("did you mean `{}`?; `mkdir -p", meant.display())),
            "{}",
            error.advice()
        );
        assert!(!typo.exists());
        DataDir::open(&meant.join("data"), true).unwrap();
    }

    #[test]
    fn a_place_below_a_file_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = DataDir::open(&file.path().join("data"), true).unwrap_err();
        assert!(matches!(error, NodeError::DataFolder { .. }));
    }
}
