//! Where the files of jobs are kept, as the settings name it: in the data folder, in another folder, or in S3-compatible storage.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use trellis_blobs_s3::{Address, AddressError, Credentials, CredentialsError, OpenError, S3Blobs};
use trellis_jobs::{BlobError, BlobStore, FolderBlobs};

use crate::settings::Settings;
use crate::{SecretFileError, nearby, secret_file};

/// Why S3-compatible storage cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum BlobPlaceError {
    /// The address cannot be used. It may hold a secret, so it is not repeated.
    #[error("cannot use `store.blobs`")]
    Address(#[from] AddressError),
    /// The credentials cannot be read.
    #[error("cannot read `{}` (`blobs.credentials_file`)", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: SecretFileError,
    },
    /// The credentials are none.
    #[error("cannot use `{}` (`blobs.credentials_file`)", path.display())]
    Credentials {
        path: PathBuf,
        #[source]
        source: CredentialsError,
    },
    /// The folder cannot be opened.
    #[error("cannot open `{}`", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: BlobError,
    },
    /// Pictures that are not whole yet have no place.
    #[error("cannot use `{}`", path.display())]
    Incoming {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Nowhere to send clients to.
    #[error("`blobs.redirect` sends clients to S3-compatible storage, and `store.blobs` names none")]
    NoLinks,
    /// The storage does not do what it has to.
    #[error("cannot use `{place}`")]
    Storage {
        place: String,
        #[source]
        source: Box<OpenError>,
    },
}

impl BlobPlaceError {
    /// Stable name, for scripts.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Address(_) => "blobs_address",
            Self::Unreadable { .. } => "blobs_credentials_unreadable",
            Self::Credentials { .. } => "blobs_credentials",
            Self::Folder { .. } => "blobs",
            Self::Incoming { .. } => "data_folder",
            Self::NoLinks => "blobs_no_links",
            Self::Storage { source, .. } => source.kind(),
        }
    }

    /// What to do, one sentence.
    pub fn advice(&self) -> String {
        match self {
            Self::Address(AddressError::Secret) => {
                "leave it out of the URL, and name a file with it with `--blobs-credentials-file`"
            }
            Self::Address(_) => {
                "name the bucket with a URL such as `s3://studio/trellis`, or \
                 `s3://studio/trellis?endpoint=https://s3.example` where it is not AWS's"
            }
            Self::Unreadable { path, source } => match source {
                SecretFileError::Exposed => {
                    return format!(
                        "`chmod 600 {}`, and replace the key if somebody may have read it",
                        path.display()
                    );
                }
                SecretFileError::Unreadable(source) => {
                    return nearby::hint(path, source)
                        .unwrap_or_else(|| "let this user read the file".to_owned());
                }
                SecretFileError::NotAFile | SecretFileError::TooLarge => {
                    "name a file such as `~/.aws/credentials`"
                }
            },
            Self::Credentials { .. } => {
                "write `aws_access_key_id = …` and `aws_secret_access_key = …` into it, each on a line of its own"
            }
            Self::Folder { source, .. } => source.advice(),
            Self::Incoming { .. } => "let this user write to the data folder",
            Self::NoLinks => "leave out `--blobs-redirect`: this server hands the files out itself",
            Self::Storage { source, .. } => source.advice(),
        }
        .to_owned()
    }
}

/// Where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BlobPlace {
    Folder(PathBuf),
    S3(Address),
}

impl BlobPlace {
    /// What the settings name; `None`: the data folder.
    pub(crate) fn named(settings: &Settings) -> Result<Option<Self>, BlobPlaceError> {
        let text = settings.store.blobs.to_str().unwrap_or_default();
        let place = if text.starts_with("s3:") {
            Some(Self::S3(text.parse()?))
        } else {
            let folder = text
                .strip_prefix("file://")
                .map_or(settings.store.blobs.as_path(), Path::new);
            Some(folder.to_owned())
                .filter(|path| !path.as_os_str().is_empty())
                .map(Self::Folder)
        };
        if settings.blobs.redirect && !matches!(place, Some(Self::S3(_))) {
            return Err(BlobPlaceError::NoLinks);
        }
        Ok(place)
    }

    /// Opens it. `incoming`, a folder of this server's own, is where pictures wait until they are whole, where they then
    /// go on over the network; what is in it goes.
    pub(crate) async fn open(
        &self,
        settings: &Settings,
        incoming: PathBuf,
    ) -> Result<Arc<dyn BlobStore>, BlobPlaceError> {
        let address = match self {
            Self::Folder(path) => return Ok(Arc::new(folder(path)?)),
            Self::S3(address) => address,
        };
        make_empty(&incoming).map_err(|source| BlobPlaceError::Incoming {
            path: incoming.clone(),
            source,
        })?;
        let storage = trellis_blobs_s3::Settings {
            address: address.clone(),
            credentials: credentials(&settings.blobs.credentials_file)?,
            incoming,
            links: settings.blobs.redirect,
        };
        match S3Blobs::open(&storage).await {
            Ok(opened) => Ok(Arc::new(opened)),
            Err(source) => Err(BlobPlaceError::Storage {
                place: self.to_string(),
                source: Box::new(source),
            }),
        }
    }
}

impl fmt::Display for BlobPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::S3(address) => address.fmt(f),
        }
    }
}

fn make_empty(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir_all(folder)
}

/// Opens a folder of files.
pub(crate) fn folder(path: &Path) -> Result<FolderBlobs, BlobPlaceError> {
    FolderBlobs::open(path).map_err(|source| BlobPlaceError::Folder {
        path: path.to_owned(),
        source,
    })
}

fn credentials(path: &Path) -> Result<Option<Credentials>, BlobPlaceError> {
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let path = path.to_owned();
    let text = match secret_file::read(&path) {
        Ok(text) => text,
        Err(source) => return Err(BlobPlaceError::Unreadable { path, source }),
    };
    let read = Credentials::parse(&text);
    read.map(Some)
        .map_err(|source| BlobPlaceError::Credentials { path, source })
}
