//! A file tree on disk as a Nix archive.
//!
//! Folders are entered by descriptor, so that a path is looked up once and a symlink put in place of a folder
//! is never followed. No file is held in memory. A file that changes under the reader is an error, since the
//! archive would be of a tree that never existed.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use nix_compat::nar::writer::{self, Node};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};

use super::blocks::{Blocks, Consume};
use crate::error::ClosureError;

/// Each level holds a descriptor; a process has 1,024 of them, which several trees share.
const MAX_DEPTH: usize = 128;
/// Smaller files are read in one call: advice would cost more than it gives.
const ADVISED_BYTES: u64 = 1 << 20;

/// Writes the archive of `path` into `blocks`.
pub(super) fn dump<'scope, C: Consume + 'scope>(
    path: &Path,
    blocks: &mut Blocks<'scope, '_, C>,
) -> Result<(), ClosureError> {
    let mut at = At(path.to_owned());
    let stat = rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW);
    let kind = FileType::from_raw_mode(stat.map_err(|error| at.unreadable(error))?.st_mode);
    let archive = writer::open(blocks).map_err(|error| at.unreadable(error))?;
    let entry = Entry {
        folder: CWD,
        name: path.as_os_str(),
        kind,
    };
    node(archive, &entry, &mut at, 0)
}

/// Where the reader is, for errors.
struct At(PathBuf);

impl At {
    fn unreadable(&self, source: impl Into<std::io::Error>) -> ClosureError {
        ClosureError::Unreadable {
            path: self.0.clone(),
            source: source.into(),
        }
    }

    fn changed(&self) -> ClosureError {
        ClosureError::Changed { path: self.0.clone() }
    }
}

/// One name in an open folder.
struct Entry<'a> {
    folder: BorrowedFd<'a>,
    name: &'a OsStr,
    kind: FileType,
}

impl Entry<'_> {
    fn open(&self, flags: OFlags, at: &At) -> Result<File, ClosureError> {
        let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(self.folder, self.name, flags, Mode::empty()) {
            Ok(fd) => Ok(fd.into()),
            // It was of another kind, or there at all, when its folder was listed.
            Err(rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR | rustix::io::Errno::NOENT) => {
                Err(at.changed())
            }
            Err(error) => Err(at.unreadable(error)),
        }
    }
}

fn node<'scope, C: Consume + 'scope>(
    node: Node<'_, Blocks<'scope, '_, C>>,
    entry: &Entry<'_>,
    at: &mut At,
    depth: usize,
) -> Result<(), ClosureError> {
    match entry.kind {
        FileType::RegularFile => file(node, entry, at),
        FileType::Symlink => {
            let target = rustix::fs::readlinkat(entry.folder, entry.name, Vec::new());
            let target = target.map_err(|error| at.unreadable(error))?;
            node.symlink(target.to_bytes())
                .map_err(|error| at.unreadable(error))
        }
        FileType::Directory if depth == MAX_DEPTH => Err(ClosureError::TooDeep {
            path: at.0.clone(),
            limit: MAX_DEPTH,
        }),
        FileType::Directory => {
            let folder = entry.open(OFlags::DIRECTORY, at)?;
            let mut directory = node.directory().map_err(|error| at.unreadable(error))?;
            for (name, kind) in sorted(&folder, at)? {
                let name = OsStr::from_bytes(name.to_bytes());
                at.0.push(name);
                let below = directory
                    .entry(name.as_bytes())
                    .map_err(|error| at.unreadable(error))?;
                let entry = Entry {
                    folder: folder.as_fd(),
                    name,
                    kind,
                };
                self::node(below, &entry, at, depth + 1)?;
                at.0.pop();
            }
            directory.close().map_err(|error| at.unreadable(error))
        }
        _ => Err(ClosureError::SpecialFile { path: at.0.clone() }),
    }
}

/// The names in a folder with their kinds, in the order of their bytes.
fn sorted(folder: &File, at: &At) -> Result<Vec<(CString, FileType)>, ClosureError> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder).map_err(|error| at.unreadable(error))? {
        let entry = entry.map_err(|error| at.unreadable(error))?;
        let name = entry.file_name();
        if name.to_bytes() == b"." || name.to_bytes() == b".." {
            continue;
        }
        // Some file systems do not say the kind in the listing.
        let kind = match entry.file_type() {
            FileType::Unknown => rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
                .map(|stat| FileType::from_raw_mode(stat.st_mode))
                .map_err(|error| at.unreadable(error))?,
            known => known,
        };
        names.push((name.to_owned(), kind));
    }
    names.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
    Ok(names)
}

fn file<'scope, C: Consume + 'scope>(
    node: Node<'_, Blocks<'scope, '_, C>>,
    entry: &Entry<'_>,
    at: &At,
) -> Result<(), ClosureError> {
    let file = entry.open(OFlags::empty(), at)?;
    let before = rustix::fs::fstat(&file).map_err(|error| at.unreadable(error))?;
    if FileType::from_raw_mode(before.st_mode) != FileType::RegularFile {
        return Err(at.changed());
    }
    let size = u64::try_from(before.st_size).unwrap_or(0);
    if size >= ADVISED_BYTES {
        // Advice only: a file system that does not take it still reads.
        let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Sequential);
    }
    let executable = Mode::from_raw_mode(before.st_mode).contains(Mode::XUSR);
    let (blocks, rest) = node
        .file_manual_write(executable, size)
        .map_err(|error| at.unreadable(error))?;
    let mut left = size;
    while left > 0 {
        let read = blocks.fill(|block| {
            let once = || rustix::io::read(&file, rustix::buffer::spare_capacity(block));
            rustix::io::retry_on_intr(once).map_err(Into::into)
        });
        let read = read.map_err(|error| at.unreadable(error))? as u64;
        // Shorter or longer than it was.
        if read == 0 || read > left {
            return Err(at.changed());
        }
        left -= read;
    }
    let after = rustix::fs::fstat(&file).map_err(|error| at.unreadable(error))?;
    if !same(&before, &after) {
        return Err(at.changed());
    }
    rest.close(blocks).map_err(|error| at.unreadable(error))
}

/// Whether nobody wrote to a file between two looks at it.
fn same(before: &Stat, after: &Stat) -> bool {
    let of = |stat: &Stat| {
        (
            stat.st_size,
            (stat.st_mtime, stat.st_mtime_nsec),
            (stat.st_ctime, stat.st_ctime_nsec),
        )
    };
    of(before) == of(after)
}
