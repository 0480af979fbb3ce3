//! What SQLite says, sorted into the store's errors.

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;

use crate::StoreError;

/// An error of SQLite, kept as its code and words because several callers may share one failed commit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("SQLite: {message} (code {extended_code})")]
pub struct SqliteFailure {
    /// SQLite's extended result code, 0 where the error is not SQLite's own.
    pub extended_code: i32,
    /// Its words.
    pub message: String,
    code: Option<ErrorCode>,
}

impl SqliteFailure {
    /// A transaction that SQLite ended although no call said why.
    pub(super) fn rolled_back() -> Self {
        Self {
            extended_code: 0,
            message: "the transaction was rolled back".to_owned(),
            code: None,
        }
    }
}

impl From<rusqlite::Error> for SqliteFailure {
    fn from(error: rusqlite::Error) -> Self {
        let message = error.to_string();
        let found = match error {
            rusqlite::Error::SqliteFailure(found, _) => Some(found),
            rusqlite::Error::SqlInputError { error, .. } => Some(error),
            _ => None,
        };
        Self {
            extended_code: found.map_or(0, |found| found.extended_code),
            message,
            code: found.map(|found| found.code),
        }
    }
}

impl From<SqliteFailure> for StoreError {
    fn from(failure: SqliteFailure) -> Self {
        let source = Box::new(failure.clone());
        match failure.code {
            Some(ErrorCode::DiskFull) => Self::Full { source },
            // SQLite's documentation gives a full disk as the usual cause.
            Some(_) if failure.extended_code == SQLITE_IOERR_SHMSIZE => Self::Full { source },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt { source },
            _ => Self::Unavailable { source },
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        // A value that cannot be read back was changed behind our back.
        match error {
            rusqlite::Error::FromSqlConversionFailure(..) | rusqlite::Error::InvalidColumnType(..) => {
                Self::Corrupt {
                    source: Box::new(error),
                }
            }
            _ => SqliteFailure::from(error).into(),
        }
    }
}
