//! Why a node or a part of it cannot start.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use trellis_jobs::{BlobError, StoreError};
use trellis_provenance::KeyError;
use trellis_server::{InvalidKeyName, KeysError};
use trellis_supervisor::UnpackError;

use crate::{
    BlobPlaceError, CertificateError, SecretFileError, SharedStoreError, SocketError, WebhooksError, nearby,
};

/// Why a node cannot start.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum NodeError {
    /// The data folder cannot be made, read or written.
    #[error("cannot use the data folder `{}`", root.display())]
    DataFolder {
        root: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The folder around a data folder that somebody named: made for a mistyped path, it would hold jobs that
    /// nobody finds again.
    #[error("the data folder `{}` cannot be made: `{}` does not exist", root.display(), parent.display())]
    NoParentFolder { root: PathBuf, parent: PathBuf },
    /// Another server works on the data folder.
    #[error("the data folder `{}` is in use by another server{}", root.display(), process(holder))]
    DataFolderInUse { root: PathBuf, holder: String },
    /// There is nothing that a job could be rescued from.
    #[error("`{}` is not the data folder of a server: it has no folder `blobs`", root.display())]
    NoBlobs { root: PathBuf },
    /// Files made there would be closed to the server.
    #[error("the data folder `{}` belongs to user {owner}, and this is user {user}", root.display())]
    OtherUser { root: PathBuf, owner: u32, user: u32 },
    /// The job database cannot be opened.
    #[error("cannot open `{}`", path.display())]
    Database {
        path: PathBuf,
        #[source]
        source: StoreError,
    },
    /// The pictures and assets cannot be opened.
    #[error("cannot open `{place}`")]
    Blobs {
        place: String,
        #[source]
        source: BlobError,
    },
    /// The storage for pictures and assets cannot be used.
    #[error(transparent)]
    BlobPlace(#[from] BlobPlaceError),
    /// The job store that is to be shared cannot be.
    #[error(transparent)]
    SharedStore(#[from] SharedStoreError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    /// There is no Unix socket to listen on.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// There is no TLS.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// Webhooks are wanted and cannot be sent.
    #[error(transparent)]
    Webhooks(#[from] WebhooksError),
    /// The file of API keys cannot be read.
    #[error("cannot read the API keys in `{}`", path.display())]
    KeysUnreadable {
        path: PathBuf,
        #[source]
        source: SecretFileError,
    },
    /// The file of API keys holds something else.
    #[error("the API keys in `{}` cannot be used", path.display())]
    KeysInvalid {
        path: PathBuf,
        #[source]
        source: KeysError,
    },
    /// A name that no key can have.
    #[error("`{name}` cannot be the name of a key")]
    KeyName {
        name: String,
        #[source]
        source: InvalidKeyName,
    },
    /// The file has a key of that name.
    #[error("`{}` already has a key `{name}`", path.display())]
    KeyExists { path: PathBuf, name: String },
    /// A key cannot be added to the file.
    #[error("cannot write the API keys to `{}`", path.display())]
    KeysUnwritable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// An address that others reach, and no keys.
    #[error(
        "{address} can be reached from other machines, and no API keys are set: anyone there could use the server"
    )]
    OpenToAll { address: SocketAddr },
    /// The address for metrics alone cannot be listened on.
    #[error("cannot listen on {address} for metrics (`metrics.listen`)")]
    MetricsListen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    /// The address for StableProjectorz cannot be listened on.
    #[error("cannot listen on {address} for StableProjectorz (`compat.projectorz_listen`)")]
    ProjectorzListen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    /// An address for metrics that others reach.
    #[error(
        "{address} (`metrics.listen`) can be reached from other machines, and anyone there could read the metrics"
    )]
    MetricsOpenToAll { address: SocketAddr },
    /// The signing key cannot be read.
    #[error("cannot use the signing key in `{}`", path.display())]
    SigningKeyUnreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The signing key is invalid. Its text is in no error.
    #[error("cannot use the signing key in `{}`", path.display())]
    SigningKeyInvalid {
        path: PathBuf,
        #[source]
        source: KeyError,
    },
    /// TRELLIS is asked for, without a model.
    #[error("the backend `trellis` needs a model folder, and none is set")]
    NoModel,
    /// The model folder does not exist.
    #[error("the model folder `{}` does not exist", path.display())]
    ModelMissing { path: PathBuf, meant: String },
    /// The worker's sources cannot be written into the data folder.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// The system gives this process no threads.
    #[error(transparent)]
    System(#[from] io::Error),
}

impl NodeError {
    /// Stable name, for scripts.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::DataFolder { .. } => "data_folder",
            Self::NoParentFolder { .. } => "no_parent_folder",
            Self::DataFolderInUse { .. } => "data_folder_in_use",
            Self::NoBlobs { .. } => "no_blobs",
            Self::OtherUser { .. } => "other_user",
            Self::Database { .. } => "database",
            Self::Blobs { .. } => "blobs",
            Self::BlobPlace(error) => error.kind(),
            Self::SharedStore(error) => error.kind(),
            Self::Listen { .. } => "listen",
            Self::Socket(error) => error.kind(),
            Self::Certificate(error) => error.kind(),
            Self::Webhooks(error) => error.kind(),
            Self::KeysUnreadable { .. } => "keys_unreadable",
            Self::KeysInvalid { .. } => "keys_invalid",
            Self::KeyName { .. } => "key_name",
            Self::KeyExists { .. } => "key_exists",
            Self::KeysUnwritable { .. } => "keys_unwritable",
            Self::OpenToAll { .. } => "open_to_all",
            Self::MetricsListen { .. } => "metrics_listen",
            Self::ProjectorzListen { .. } => "projectorz_listen",
            Self::MetricsOpenToAll { .. } => "metrics_open_to_all",
            Self::SigningKeyUnreadable { .. } => "signing_key_unreadable",
            Self::SigningKeyInvalid { .. } => "signing_key_invalid",
            Self::NoModel => "no_model",
            Self::ModelMissing { .. } => "model_missing",
            Self::Unpack(_) => "unpack",
            Self::System(_) => "system",
        }
    }

    /// What to do, one sentence.
    pub fn advice(&self) -> String {
        let fixed = match self {
            Self::DataFolder { root, source } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "free disk space there, or name another folder with `--data-dir`"
                }
                _ => {
                    return nearby::hint(root, source).unwrap_or_else(|| {
                        "let this user write to it, or choose another folder with `--data-dir`".to_owned()
                    });
                }
            },
            Self::NoParentFolder { parent, .. } => {
                let make = format!("`mkdir -p {}` makes it", parent.display());
                return match nearby::missing(parent) {
                    Some(meant) => format!("{meant}; {make}"),
                    None => make,
                };
            }
            Self::DataFolderInUse { .. } => "stop that server, or name another folder with `--data-dir`",
            Self::NoBlobs { .. } => "name the folder that the server uses with `--data-dir`",
            Self::OtherUser { root, owner, .. } => {
                return format!(
                    "run it as that user, for example `sudo -u '#{owner}' trellis jobs rescue --data-dir {}`",
                    root.display()
                );
            }
            Self::Database { source, .. } => source.advice(),
            Self::Blobs { source, .. } => source.advice(),
            Self::BlobPlace(error) => return error.advice(),
            Self::SharedStore(error) => return error.advice(),
            Self::Listen { source, .. } => match source.kind() {
                io::ErrorKind::AddrInUse => {
                    "another program listens there: stop it, or choose another port with `--port` (0 takes any)"
                }
                io::ErrorKind::PermissionDenied => {
                    "ports below 1024 need a privilege: choose another with `--port`"
                }
                _ => "choose an address of this machine with `--host`",
            },
            Self::Socket(error) => return error.advice(),
            Self::Certificate(error) => return error.advice(),
            Self::Webhooks(error) => return error.advice(),
            Self::KeysUnreadable { path, source } => return keys_unreadable(path, source),
            Self::KeysInvalid { source, .. } => source.advice(),
            Self::KeyName { .. } => "name it after who or what uses it, such as `studio`",
            Self::KeyExists { .. } => {
                "choose another name, or remove its line first: the old secret then opens nothing"
            }
            Self::KeysUnwritable { path, source } => {
                return nearby::hint(path, source).unwrap_or_else(|| {
                    "let this user write to that folder, or name another file".to_owned()
                });
            }
            Self::OpenToAll { .. } => {
                "make a key with `trellis keys new NAME --append FILE` and name the file with `--auth-keys-file`; \
                 or listen on 127.0.0.1; or, where everybody who can reach it may use it, add `--insecure-no-auth`"
            }
            Self::MetricsListen { source, .. } => match source.kind() {
                io::ErrorKind::AddrInUse => {
                    "another program or this server itself listens there: choose another port with `--metrics-listen`"
                }
                io::ErrorKind::PermissionDenied => {
                    "ports below 1024 need a privilege: choose another with `--metrics-listen`"
                }
                _ => {
                    "choose an address of this machine with `--metrics-listen`, or leave it out: \
                     `/metrics` is on the server's own address as well"
                }
            },
            Self::ProjectorzListen { source, .. } => match source.kind() {
                io::ErrorKind::AddrInUse => {
                    "stop the program that listens there, which may be trellis-stable-projectorz, or choose another port \
                     with `--compat-projectorz-listen` and enter it in StableProjectorz"
                }
                io::ErrorKind::PermissionDenied => {
                    "ports below 1024 need a privilege: choose another with `--compat-projectorz-listen`"
                }
                _ => "choose an address of this machine with `--compat-projectorz-listen`",
            },
            Self::MetricsOpenToAll { .. } => {
                "listen on 127.0.0.1 there; or, where everybody who can reach it may read them, add \
                 `--metrics-public`"
            }
            Self::SigningKeyUnreadable { path, source } => {
                return nearby::hint(path, source)
                    .unwrap_or_else(|| "name a file that this user can read with `--sign-key`".to_owned());
            }
            Self::SigningKeyInvalid { source, .. } => source.advice(),
            Self::NoModel => {
                "name it with `$TRELLIS_MODEL_PATH` (for TRELLIS.2 `$TRELLIS_TRELLIS2_MODEL`), in the settings file, or, for \
                 `trellis serve`, with `--model` (`--trellis2-model`)"
            }
            Self::ModelMissing { meant, .. } => meant,
            Self::Unpack(_) => "let this user write to that folder",
            Self::System(_) => "look at this user's limits",
        };
        fixed.to_owned()
    }
}

fn keys_unreadable(path: &Path, error: &SecretFileError) -> String {
    match error {
        SecretFileError::Unreadable(source) => match nearby::hint(path, source) {
            Some(hint) => format!("correct `auth.keys_file`: {hint}"),
            None => "correct `auth.keys_file`, or let this user read the file".to_owned(),
        },
        SecretFileError::Exposed => format!(
            "`chmod 600 {}`, and change the keys if somebody may have read them",
            path.display()
        ),
        SecretFileError::NotAFile | SecretFileError::TooLarge => {
            "name the file of the keys with `auth.keys_file`".to_owned()
        }
    }
}

fn process(holder: &str) -> String {
    if holder.is_empty() {
        String::new()
    } else {
        format!(" (process {holder})")
    }
}
