//! A Unix socket to listen on: open to its owner and group, made in the place of one that nobody listens on any more,
//! removed at the end.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, fchmod, flock};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
};
use tokio::net::UnixListener;

use crate::nearby;

/// For its owner and group: a proxy, say.
const MODE: u32 = 0o660;
/// How many connections wait to be accepted, as with TCP.
const BACKLOG: i32 = 1024;

/// Why a Unix socket cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum SocketError {
    /// Somebody listens there.
    #[error("cannot listen on `{}`: another program does", path.display())]
    InUse { path: PathBuf },
    /// Something else than a socket.
    #[error("cannot listen on `{}`: there is something that is not a socket", path.display())]
    NotASocket { path: PathBuf },
    /// It cannot be made.
    #[error("cannot listen on `{}`", path.display())]
    Unusable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A Unix socket does not leave the machine.
    #[error("`listen.socket` and `tls.certificate` are both set, and there is no TLS on a Unix socket")]
    WithTls,
}

impl SocketError {
    /// Stable name, for scripts.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::InUse { .. } => "socket_in_use",
            Self::NotASocket { .. } => "not_a_socket",
            Self::Unusable { .. } => "socket_unusable",
            Self::WithTls => "socket_with_tls",
        }
    }

    /// What to do, one sentence.
    pub fn advice(&self) -> String {
        match self {
            Self::InUse { .. } => "stop that program, or name another path with `--socket`".to_owned(),
            Self::NotASocket { .. } => "move it away, or name another path with `--socket`".to_owned(),
            Self::Unusable { path, source } => nearby::hint(path, source).unwrap_or_else(|| {
                "let this user write to that folder, or name a shorter path in another one with `--socket`"
                    .to_owned()
            }),
            Self::WithTls => {
                "leave out `tls.certificate` and `tls.key`: whoever connects to the socket is on this machine"
                    .to_owned()
            }
        }
    }
}

/// The socket's place in the file system, which goes when this is dropped.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and number: a later server may have put its own there.
    made: Option<(u64, u64)>,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.made.is_some() && identity(&self.path) == self.made {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let about = fs::symlink_metadata(path).ok()?;
    Some((about.dev(), about.ino()))
}

/// Listens at `path`.
pub(crate) fn listen_at(path: &Path) -> Result<(UnixListener, SocketFile), SocketError> {
    let unusable = |source: io::Error| SocketError::Unusable {
        path: path.to_owned(),
        source,
    };
    let address = SocketAddrUnix::new(path).map_err(|error| unusable(error.into()))?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Of two servers that start at the same time one finds the other's socket alive.
    let lock = File::open(folder).map_err(unusable)?;
    flock(&lock, FlockOperation::LockExclusive).map_err(|error| unusable(error.into()))?;
    make_room(path, &address)?;
    let made = || -> io::Result<UnixListener> {
        let socket = stream_socket()?;
        // Before it has a name, so that nobody else can connect meanwhile.
        fchmod(&socket, Mode::from_raw_mode(MODE))?;
        bind(&socket, &address)?;
        // The umask may have taken the group's part.
        fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
        listen(&socket, BACKLOG)?;
        UnixListener::from_std(socket.into())
    };
    let listener = made().map_err(unusable)?;
    let file = SocketFile {
        path: path.to_owned(),
        made: identity(path),
    };
    Ok((listener, file))
}

fn stream_socket() -> rustix::io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

/// Removes the socket of a server that is gone.
fn make_room(path: &Path, address: &SocketAddrUnix) -> Result<(), SocketError> {
    let unusable = |source: io::Error| SocketError::Unusable {
        path: path.to_owned(),
        source,
    };
    let about = match fs::symlink_metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unusable(error)),
    };
    if !about.file_type().is_socket() {
        return Err(SocketError::NotASocket {
            path: path.to_owned(),
        });
    }
    let probe = stream_socket().map_err(|error| unusable(error.into()))?;
    match connect(&probe, address) {
        Err(Errno::CONNREFUSED) => fs::remove_file(path).map_err(unusable),
        // With a full queue it is alive as well.
        Ok(()) | Err(Errno::AGAIN) => Err(SocketError::InUse {
            path: path.to_owned(),
        }),
        Err(error) => Err(unusable(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(path: &Path) -> &'static str {
        let refused = listen_at(path).unwrap_err();
        assert!(!refused.advice().is_empty());
        refused.kind()
    }

    #[tokio::test]
    async fn a_socket_is_for_its_group_and_goes_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("http.sock");
        let (listener, file) = listen_at(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o660);
        assert_eq!(kind(&path), "socket_in_use");
        assert!(path.exists());
        drop((listener, file));
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn one_that_a_kill_left_is_replaced_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("http.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let (_listener, first) = listen_at(&path).unwrap();
        // A later server's socket is not the first one's to remove.
        fs::remove_file(&path).unwrap();
        let _second = listen_at(&path).unwrap();
        drop(first);
        assert!(path.exists());
        let file = folder.path().join("notes");
        fs::write(&file, "notes").unwrap();
        std::os::unix::fs::symlink("http.sock", folder.path().join("link")).unwrap();
        for other in ["notes", "link", "."] {
            assert_eq!(kind(&folder.path().join(other)), "not_a_socket", "{other}");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "notes");
        assert_eq!(kind(&folder.path().join("none/http.sock")), "socket_unusable");
        assert_eq!(kind(&folder.path().join("x".repeat(200))), "socket_unusable");
    }
}
