//! Space on the disk that is kept for the job database.
//!
//! A file beside the database holds it. Where the disk is full and a job is to be cancelled, deleted or ended, the file
//! goes, the log is moved into the database, which begins the log again from its start, and the call is made once more.
//! What the file held may be taken by other programs at once; so that the database need not grow for a while, it has
//! spare pages of its own, which are given up too. With room on the disk both are made again. Submissions never get what
//! they held.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use tracing::{info, warn};

use super::schema;
use crate::Room;

/// How often a missing reserve is made again.
const EVERY: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Reserve {
    database: PathBuf,
    file: PathBuf,
    missing: AtomicBool,
    /// When it was tried last; held by who tries.
    tried: Mutex<Option<Instant>>,
}

impl Reserve {
    pub(super) fn new(database: &Path) -> Self {
        let mut file = database.as_os_str().to_owned();
        file.push("-reserve");
        Self {
            database: database.to_owned(),
            file: file.into(),
            missing: AtomicBool::new(true),
            tried: Mutex::new(None),
        }
    }

    /// Gives up the reserve, if it is there. Blocks.
    pub(super) fn give_up(&self) {
        self.missing.store(true, Ordering::Relaxed);
        match fs::remove_file(&self.file) {
            Ok(()) => warn!("the disk is full: what was reserved for the job database is given up"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => warn!(%error, "the reserve of the job database cannot be given up"),
        }
    }

    /// Gives up the reserve and has the log begin again, so that a few more changes find a place. Blocks.
    pub(super) fn make_room(&self) {
        self.give_up();
        if let Err(error) = schema::begin_log_again(&self.database) {
            warn!(
                error = &error as &dyn std::error::Error,
                "the log of the job database cannot begin again"
            );
        }
    }

    /// Makes the reserve where it is missing, the disk has room to spare and the last try was a while ago. Blocks.
    pub(super) fn refill(&self) {
        let Ok(mut tried) = self.tried.try_lock() else {
            return;
        };
        if !self.missing.load(Ordering::Relaxed) || tried.is_some_and(|tried| tried.elapsed() < EVERY) {
            return;
        }
        let again = tried.replace(Instant::now()).is_some();
        let Some(room) = Room::on_disk_of(self.database.parent().unwrap_or(Path::new("."))) else {
            return;
        };
        let size = room.database_bytes();
        let is_there = fs::metadata(&self.file).is_ok_and(|found| found.len() == size);
        if !is_there {
            if !room.accepts(size) {
                return;
            }
            if let Err(error) = fill(&self.file, size) {
                if !again {
                    warn!(%error, "no space can be reserved for the job database");
                }
                // A part of it holds nothing.
                let _ = fs::remove_file(&self.file);
                return;
            }
            if again {
                info!("the disk has room again: space is reserved for the job database");
            }
        }
        if let Err(error) = schema::keep_spare(&self.database) {
            warn!(
                error = &error as &dyn std::error::Error,
                "the job database has no spare pages"
            );
        }
        self.missing.store(false, Ordering::Relaxed);
    }

    /// Whether it is time to call [`Reserve::refill`], which blocks.
    pub(super) fn is_due(&self) -> bool {
        self.missing.load(Ordering::Relaxed)
            && self
                .tried
                .try_lock()
                .is_ok_and(|tried| tried.is_none_or(|tried| tried.elapsed() >= EVERY))
    }
}

fn fill(path: &Path, size: u64) -> io::Result<()> {
    let file = File::create(path)?;
    match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, size) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => write_noise(file, size),
        allocated => Ok(allocated?),
    }
}

/// Writes bytes that a file system neither packs nor leaves out.
fn write_noise(mut file: File, size: u64) -> io::Result<()> {
    const PART: usize = 64 << 10;
    let mut state = rand::random::<u64>() | 1;
    let mut part = Vec::with_capacity(PART);
    let mut rest = size;
    while rest > 0 {
        part.clear();
        while part.len() < PART {
            // Xorshift: quick, and random enough to be incompressible.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            part.extend_from_slice(&state.to_le_bytes());
        }
        let now = rest.min(PART as u64);
        file.write_all(&part[..usize::try_from(now).unwrap_or(PART)])?;
        rest -= now;
    }
    Ok(())
}
