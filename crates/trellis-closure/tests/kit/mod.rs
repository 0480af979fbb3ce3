//! Small stores that tests make: trees on disk and, if asked for, a database as Nix creates it.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test program uses a part; one that cannot be set up has failed"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use nix_compat::store_path::StorePath;
use rusqlite::{Connection, params};
use tempfile::TempDir;
use trellis_closure::hash_path;

/// Seconds since 1970 at which everything is registered.
pub(crate) const REGISTERED: i64 = 1_700_000_000;

/// The two tables of Nix's schema that are read, with the columns in Nix's order.
const SCHEMA: &str = "
    CREATE TABLE ValidPaths (
        id integer primary key autoincrement not null, path text unique not null, hash text not null,
        registrationTime integer not null, deriver text, narSize integer, ultimate integer, sigs text, ca text
    );
    CREATE TABLE Refs (
        referrer integer not null, reference integer not null, primary key (referrer, reference)
    );";

/// A store in a temporary folder.
pub(crate) struct Sample {
    folder: TempDir,
    database: Option<Connection>,
}

impl Sample {
    /// An empty store with a database.
    pub(crate) fn new() -> Self {
        let mut sample = Self::without_database();
        let folder = sample.root().join("nix/var/nix/db");
        fs::create_dir_all(&folder).unwrap();
        let database = Connection::open(folder.join("db.sqlite")).unwrap();
        database.execute_batch(SCHEMA).unwrap();
        sample.database = Some(database);
        sample
    }

    /// An empty store of files alone.
    pub(crate) fn without_database() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("nix/store")).unwrap();
        Self {
            folder,
            database: None,
        }
    }

    /// Lets the database keep a journal, which stays while the sample holds the connection.
    pub(crate) fn set_journal(&self) {
        let database = self.database.as_ref().expect("the sample has a database");
        let mode: String = database
            .query_row("PRAGMA journal_mode = wal", [], |row| row.get(0))
            .unwrap();
        assert_eq!(mode, "wal");
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn files(&self, path: &StorePath<String>) -> PathBuf {
        self.root().join("nix/store").join(path.to_string())
    }

    /// A path named `name`, its hash part made of `letter`, with one program that names what it refers to.
    pub(crate) fn package(
        &self,
        letter: char,
        name: &str,
        references: &[&StorePath<String>],
    ) -> StorePath<String> {
        let path: StorePath<String> = format!("{}-{name}", letter.to_string().repeat(32))
            .parse()
            .unwrap();
        let bin = self.files(&path).join("bin");
        fs::create_dir_all(&bin).unwrap();
        let names: Vec<String> = references.iter().map(|path| path.to_absolute_path()).collect();
        let program = bin.join("run");
        fs::write(
            &program,
            format!("#!/bin/sh\n# {name}\nexec {}\n", names.join(" ")),
        )
        .unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o555)).unwrap();
        std::os::unix::fs::symlink("run", bin.join("also")).unwrap();
        self.register(&path, references);
        path
    }

    /// Registers what lies there as Nix would.
    pub(crate) fn register(&self, path: &StorePath<String>, references: &[&StorePath<String>]) {
        let Some(database) = &self.database else { return };
        let (hash, size) = hash_path(&self.files(path)).unwrap();
        let insert = "INSERT INTO ValidPaths (path, hash, registrationTime, narSize) VALUES (?1, ?2, ?3, ?4)";
        let values = params![
            path.to_absolute_path(),
            hash.to_nix_lowerhex_string(),
            REGISTERED,
            i64::try_from(size).unwrap()
        ];
        database.execute(insert, values).unwrap();
        for reference in references {
            let insert = "INSERT INTO Refs SELECT a.id, b.id FROM ValidPaths a, ValidPaths b WHERE a.path = ?1 \
                          AND b.path = ?2";
            let values = params![path.to_absolute_path(), reference.to_absolute_path()];
            assert_eq!(database.execute(insert, values).unwrap(), 1);
        }
    }

    /// Sets one column of a path's row.
    pub(crate) fn set(&self, path: &StorePath<String>, column: &str, value: impl rusqlite::ToSql) {
        let update = format!("UPDATE ValidPaths SET {column} = ?2 WHERE path = ?1");
        let database = self.database.as_ref().expect("the sample has a database");
        assert_eq!(
            database
                .execute(&update, params![path.to_absolute_path(), value])
                .unwrap(),
            1
        );
    }

    /// Changes one byte of the path's program.
    pub(crate) fn tamper(&self, path: &StorePath<String>) {
        let program = self.files(path).join("bin/run");
        let mut bytes = fs::read(&program).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(&program, bytes).unwrap();
    }
}

/// Three packages and one that nothing needs: `app` needs `library` and `data`, `library` needs `data` and itself.
pub(crate) struct Packages {
    pub(crate) app: StorePath<String>,
    pub(crate) library: StorePath<String>,
    pub(crate) data: StorePath<String>,
    pub(crate) other: StorePath<String>,
}

impl Packages {
    pub(crate) fn new(sample: &Sample) -> Self {
        let data = sample.package('d', "data", &[]);
        let itself = format!("{}-library-1.2", "b".repeat(32)).parse().unwrap();
        let library = sample.package('b', "library-1.2", &[&data, &itself]);
        let app = sample.package('a', "app-3.4", &[&library, &data]);
        let other = sample.package('c', "other-1", &[&data]);
        Self {
            app,
            library,
            data,
            other,
        }
    }
}
