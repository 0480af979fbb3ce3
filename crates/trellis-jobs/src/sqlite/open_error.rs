//! Why a database file is not used, and what to do about it.

use std::path::PathBuf;

/// Why a database file is not used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be made.
    #[error("cannot create the folder of {}", path.display())]
    Folder {
        /// The database file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A database of some other program.
    #[error("{} is an SQLite database of another program", path.display())]
    NotOurs {
        /// The database file.
        path: PathBuf,
    },
    /// A database of a later version.
    #[error("{} has schema {found}, but this version supports up to {known}", path.display())]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest known.
        known: i64,
    },
    /// The check at the start found damage.
    #[error("{} is damaged: {report}", path.display())]
    Damaged {
        /// The database file.
        path: PathBuf,
        /// What the check said.
        report: String,
    },
    /// The database's thread cannot be started.
    #[error("cannot start a thread")]
    Thread {
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl OpenError {
    /// What to do about it, one sentence; `None`: what the store's error says.
    pub(crate) fn advice(&self) -> Option<&'static str> {
        match self {
            Self::NotOurs { .. } => Some("name another data folder, or move that file out of this one"),
            Self::Newer { .. } => Some("start the newer server again, or name another data folder"),
            Self::Folder { .. } | Self::Damaged { .. } | Self::Thread { .. } => None,
        }
    }
}
