//! The job store that several servers share, as the settings name it.

use std::path::PathBuf;

use trellis_core::counted;
use trellis_jobs::StoreError;
use trellis_store_postgres::{Address, AddressError, Clock, DifferentPasswords, PostgresStore};

use crate::settings::Store;
use crate::{Role, SecretFileError, Settings, nearby, secret_file};

/// Why a job store that is to be shared cannot be.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum SharedStoreError {
    /// The address cannot be used. It may hold a password, so it is not repeated.
    #[error("cannot use `store.url`")]
    Address(#[from] AddressError),
    /// The password cannot be read.
    #[error("cannot read `{}` (`store.password_file`)", path.display())]
    Password {
        path: PathBuf,
        #[source]
        source: SecretFileError,
    },
    /// PostgreSQL's own password file cannot be read.
    #[error("cannot read `{}`, PostgreSQL's password file", path.display())]
    Passfile {
        path: PathBuf,
        #[source]
        source: SecretFileError,
    },
    /// It does not say which password.
    #[error("cannot use `{}`, PostgreSQL's password file", path.display())]
    Different {
        path: PathBuf,
        #[source]
        source: DifferentPasswords,
    },
    /// The database cannot be used.
    #[error("cannot use the job store at {address}")]
    Unusable {
        address: String,
        #[source]
        source: StoreError,
    },
    /// A part of a server that works alone.
    #[error("the role `{role}` is one among servers that share a job store, and `store.url` names none")]
    Alone { role: Role },
    /// Files that the other servers do not reach.
    #[error(
        "`store.url` names a job store that servers share, and `store.blobs` names no place for its files"
    )]
    NoBlobs,
    /// Not the place that the others use.
    #[error("`{place}` is not the place of this job store's files: it is new, and the store is not")]
    OtherBlobs { place: String },
    /// What is told to webhooks by the old store alone.
    #[error("{} to webhooks wait in `{place}`", counted(*messages, "message", "messages"))]
    Undelivered { place: String, messages: u64 },
    /// Servers work on what is to be moved.
    #[error("servers still work on the job store at {address}: {}", names.join(", "))]
    InUse { address: String, names: Vec<String> },
    /// There is nothing to be asked.
    #[error("`store.url` names no job store: this server works alone")]
    NotShared,
    /// No server of that name.
    #[error("no server of this job store is called `{name}`")]
    NoNode { name: String },
}

impl SharedStoreError {
    /// Stable name, for scripts.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Address(_) => "store_address",
            Self::Password { .. } | Self::Passfile { .. } | Self::Different { .. } => "store_password",
            Self::Unusable { .. } => "store_unusable",
            Self::Alone { .. } => "role_alone",
            Self::NoBlobs => "store_blobs",
            Self::OtherBlobs { .. } => "store_other_blobs",
            Self::Undelivered { .. } => "store_undelivered",
            Self::InUse { .. } => "store_in_use",
            Self::NotShared => "store_not_shared",
            Self::NoNode { .. } => "no_node",
        }
    }

    /// What to do, one sentence.
    pub fn advice(&self) -> String {
        match self {
            Self::Address(AddressError::Password) => {
                "leave it out of the URL, write it to a file that no other user may read, and name that file with \
                 `--store-password-file`"
            }
            Self::Address(_) => "name the database with a URL such as `postgres://trellis@db.example/trellis`",
            Self::Password { path, source } | Self::Passfile { path, source } => match source {
                SecretFileError::Exposed => {
                    return format!(
                        "`chmod 600 {}`, and change the password if somebody may have read it",
                        path.display()
                    );
                }
                SecretFileError::Unreadable(source) => {
                    return nearby::hint(path, source)
                        .unwrap_or_else(|| "let this user read the file".to_owned());
                }
                SecretFileError::NotAFile | SecretFileError::TooLarge => {
                    "name a file that holds only the password, on one line"
                }
            },
            Self::Different { .. } => "give their users the same password, or name a file that holds it with `--store-password-file`",
            Self::Unusable { .. } => {
                "check that the database runs, lets this user in (`--store-password-file` names a file with the password) \
                 and has a certificate for its name; `?sslmode=disable` at the end of the URL does without one on a network of your own"
            }
            Self::Alone { .. } => {
                "name the store with `--store`, or leave out `--role` for a server that works alone"
            }
            Self::NoBlobs => {
                "name a folder that all its servers reach, such as a mount, or S3-compatible storage with `--blobs`"
            }
            Self::OtherBlobs { .. } => {
                "check that it is mounted, and name the place that the other servers use with `--blobs`"
            }
            Self::InUse { .. } => "stop them, and run the command again 20 seconds later",
            Self::Undelivered { .. } => {
                "start one of its servers again until they have arrived (`webhook` of the jobs says so), then stop it"
            }
            Self::NotShared => "name the store with `--store`",
            Self::NoNode { .. } => "`trellis nodes` lists them",
        }
        .to_owned()
    }
}

/// Refuses settings that do not fit together.
pub(crate) fn check(settings: &Settings) -> Result<(), SharedStoreError> {
    let is_shared = !settings.store.url.is_empty();
    match settings.role {
        role @ (Role::Api | Role::Worker) if !is_shared => Err(SharedStoreError::Alone { role }),
        _ if is_shared && settings.store.blobs.as_os_str().is_empty() => Err(SharedStoreError::NoBlobs),
        _ => Ok(()),
    }
}

/// Opens the store; `None`: this server works alone.
pub(crate) async fn open(store: &Store) -> Result<Option<PostgresStore>, SharedStoreError> {
    if store.url.is_empty() {
        return Ok(None);
    }
    let address: Address = store.url.parse()?;
    let password = password(store, &address)?;
    let name = address.to_string();
    let settings = trellis_store_postgres::Settings {
        address,
        password,
        clock: Clock::Database,
    };
    match PostgresStore::open(&settings).await {
        Ok(opened) => Ok(Some(opened)),
        Err(source) => Err(SharedStoreError::Unusable {
            address: name,
            source,
        }),
    }
}

/// Of the file that the settings name; else, as PostgreSQL's own clients have it, of `PGPASSFILE` or `~/.pgpass`.
fn password(store: &Store, address: &Address) -> Result<Option<String>, SharedStoreError> {
    let path = store.password_file.clone();
    if !path.as_os_str().is_empty() {
        let read = secret_file::read(&path);
        let text = read.map_err(|source| SharedStoreError::Password { path, source })?;
        return Ok(text.lines().next().map(str::to_owned));
    }
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let named = set("PGPASSFILE").map(PathBuf::from);
    let usual = || Some(PathBuf::from(set("HOME")?).join(".pgpass")).filter(|path| path.exists());
    let Some(path) = named.or_else(usual) else {
        return Ok(None);
    };
    let text = match secret_file::read(&path) {
        Ok(text) => text,
        Err(source) => return Err(SharedStoreError::Passfile { path, source }),
    };
    let found = address.password_in(&text);
    found.map_err(|source| SharedStoreError::Different { path, source })
}
