//! Nix's own database of store paths, read-only.
//!
//! Format: `db.sqlite` as Nix 2.x creates it (schema 10): `ValidPaths`, and `Refs` between their ids. It is
//! opened immutable: no lock is taken and nothing is written, so that it can be read by any user and from a
//! read-only disk. An immutable database is read without its journal: while `db.sqlite-wal` is not empty, a
//! path registered moments ago would be missing. So with a journal the database is first tried as a normal
//! reader; where that is not allowed, the immutable one is used and [`Database::is_behind`] says so.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use nix_compat::narinfo::Signature;
use nix_compat::nixhash::{CAHash, NixHash};
use nix_compat::store_path::StorePath;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row};

use crate::error::ClosureError;
use crate::path_info::{PathInfo, Source};

const PATH: &str = "SELECT id, hash, narSize, deriver, sigs, ca, registrationTime, ultimate \
                    FROM ValidPaths WHERE path = ?1";
const REFERENCES: &str = "SELECT path FROM Refs JOIN ValidPaths ON id = reference WHERE referrer = ?1 \
                          ORDER BY path";

/// An open database.
#[derive(Debug)]
pub(crate) struct Database {
    path: PathBuf,
    connection: Mutex<Connection>,
    behind: bool,
}

impl Database {
    /// Opens the database file.
    pub(crate) fn open(path: &Path) -> Result<Self, ClosureError> {
        let failed = |source| ClosureError::Database {
            path: path.to_owned(),
            source,
        };
        let mut journal = path.as_os_str().to_owned();
        journal.push("-wal");
        let has_journal = std::fs::metadata(&journal).is_ok_and(|meta| meta.len() > 0);
        let with_journal = has_journal.then(|| connect(path, "mode=ro")).and_then(Result::ok);
        let behind = has_journal && with_journal.is_none();
        let connection = match with_journal {
            Some(connection) => connection,
            None => connect(path, "mode=ro&immutable=1").map_err(failed)?,
        };
        Ok(Self {
            path: path.to_owned(),
            connection: Mutex::new(connection),
            behind,
        })
    }

    /// Whether changes wait in a journal that could not be read.
    pub(crate) fn is_behind(&self) -> bool {
        self.behind
    }

    /// What the database says of a path; `None` if it is not registered.
    pub(crate) fn info(&self, path: &StorePath<String>) -> Result<Option<PathInfo>, ClosureError> {
        let found = self.query(|connection| {
            let row = connection
                .prepare_cached(PATH)?
                .query_row([path.to_absolute_path()], Entry::read)
                .optional()?;
            let Some(row) = row else { return Ok(None) };
            let mut statement = connection.prepare_cached(REFERENCES)?;
            let references = statement.query_map([row.id], |row| row.get(0))?;
            Ok(Some((row, references.collect::<Result<Vec<String>, _>>()?)))
        })?;
        found
            .map(|(row, references)| row.into_info(path, &references))
            .transpose()
    }

    fn query<T>(&self, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, ClosureError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        ask(&connection).map_err(|source| ClosureError::Database {
            path: self.path.clone(),
            source,
        })
    }
}

fn connect(path: &Path, parameters: &str) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(format!("file:{}?{parameters}", escaped(path)), flags)?;
    // Only now is the file looked at.
    connection
        .query_row("SELECT 1 FROM ValidPaths, Refs LIMIT 1", [], |_| Ok(()))
        .optional()?;
    Ok(connection)
}

/// A path as it stands in SQLite's URI.
fn escaped(path: &Path) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt as _;
    let mut text = String::new();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                text.push(char::from(*byte));
            }
            _ => {
                let _ = write!(text, "%{byte:02x}");
            }
        }
    }
    text
}

/// A row of `ValidPaths`.
struct Entry {
    id: i64,
    hash: String,
    nar_size: Option<u64>,
    deriver: Option<String>,
    signatures: Option<String>,
    ca: Option<String>,
    registered: i64,
    built_here: Option<bool>,
}

impl Entry {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            hash: row.get(1)?,
            nar_size: row.get(2)?,
            deriver: row.get(3)?,
            signatures: row.get(4)?,
            ca: row.get(5)?,
            registered: row.get(6)?,
            built_here: row.get(7)?,
        })
    }

    fn into_info(self, path: &StorePath<String>, references: &[String]) -> Result<PathInfo, ClosureError> {
        let odd = |field, text: &str| ClosureError::Row {
            path: path.to_absolute_path(),
            field,
            text: text.to_owned(),
        };
        let store_path = |field, text: &String| {
            StorePath::from_absolute_path(text.as_bytes()).map_err(|_| odd(field, text))
        };
        let ca = self.ca.filter(|text| !text.is_empty());
        let deriver = self.deriver.filter(|text| !text.is_empty());
        Ok(PathInfo {
            path: path.clone(),
            nar_hash: NixHash::from_str(&self.hash, None).map_err(|_| odd("hash", &self.hash))?,
            nar_size: self.nar_size.ok_or_else(|| odd("narSize", "NULL"))?,
            references: references
                .iter()
                .map(|text| store_path("Refs", text))
                .collect::<Result<_, _>>()?,
            deriver: deriver.map(|text| store_path("deriver", &text)).transpose()?,
            signatures: signatures(self.signatures.as_deref()),
            ca: ca
                .map(|text| CAHash::from_nix_hex_str(&text).ok_or_else(|| odd("ca", &text)))
                .transpose()?,
            registered: Some(self.registered),
            built_here: self.built_here.unwrap_or(false),
            source: Source::Database,
        })
    }
}

/// Signatures stand with spaces between them.
fn signatures(text: Option<&str>) -> Vec<Signature<String>> {
    let words = text.unwrap_or_default().split_ascii_whitespace();
    words.filter_map(|word| Signature::parse(word).ok()).collect()
}
