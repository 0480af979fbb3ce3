//! The store: each call of [`BlobStore`] as a request to the storage, or a few.
//!
//! An object is whole or not there, and there for everybody once its writing was answered: S3 promises both since 2020, and so do
//! the servers that speak its language.

use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::signer::{Method, SignedUrlOptions, Signer as _};
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore as _, ObjectStoreExt as _};
use trellis_core::JobId;
use trellis_jobs::{BlobError, BlobKey, BlobStore, BlobStream, LinkAs, StagedBlob};

use crate::error::{failed, unavailable};
use crate::staged::Staged;
use crate::{Address, Credentials, OpenError, connection, upload};

/// How the storage is reached.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it is.
    pub address: Address,
    /// Who we are there; `None`: what the environment says, in AWS's own variables.
    pub credentials: Option<Credentials>,
    /// A local folder for what comes in until it is whole.
    pub incoming: PathBuf,
    /// Whether clients are given addresses of the storage.
    pub links: bool,
}

/// A bucket, below a prefix. Clones share the connections to it.
#[derive(Debug, Clone)]
pub struct S3Blobs {
    store: Arc<AmazonS3>,
    prefix: String,
    incoming: PathBuf,
    links: bool,
}

impl S3Blobs {
    /// Connects to the bucket and looks whether it can be listed, written, read and deleted from.
    pub async fn open(settings: &Settings) -> Result<Self, OpenError> {
        let store = connection::connect(&settings.address, settings.credentials.as_ref()).await?;
        Ok(Self {
            store: Arc::new(store),
            prefix: settings.address.prefix.clone(),
            incoming: settings.incoming.clone(),
            links: settings.links,
        })
    }

    fn path_of(&self, name: &str) -> Result<Path, object_store::path::Error> {
        if self.prefix.is_empty() {
            Path::parse(name)
        } else {
            Path::parse(format!("{}/{name}", self.prefix))
        }
    }

    fn place(&self, key: &BlobKey) -> Result<Path, BlobError> {
        self.path_of(key.as_str())
            .map_err(|error| unavailable(key, error))
    }

    /// The key of an object below the prefix.
    fn key_of(&self, place: &Path) -> Option<BlobKey> {
        let mut key = place.as_ref();
        if !self.prefix.is_empty() {
            key = key.strip_prefix(&self.prefix)?.strip_prefix('/')?;
        }
        Some(BlobKey::from_stored(key.to_owned()))
    }

    /// Keys that begin with the job's own beginning, found without looking at those of other jobs.
    async fn listed_for(&self, job: JobId) -> Result<Vec<BlobKey>, BlobError> {
        let beginning = BlobKey::beginning_of(job);
        let key = BlobKey::from_stored(beginning.clone());
        let place = self.place(&key)?;
        // Listings are by folder, in the order of their names.
        let folder = beginning.rsplit_once('/').map_or("", |(folder, _)| folder);
        let folder = self.path_of(folder).map_err(|error| unavailable(&key, error))?;
        let mut all = self.store.list_with_offset(Some(&folder), &place);
        let mut found = Vec::new();
        while let Some(object) = all.next().await {
            let object = object.map_err(|error| failed(&key, &error))?;
            if !object.location.as_ref().starts_with(place.as_ref()) {
                break;
            }
            found.extend(self.key_of(&object.location).filter(|key| key.belongs_to(job)));
        }
        Ok(found)
    }

    /// What an earlier version kept for the job in a folder of its own, where its files were moved here.
    async fn in_its_own_folder(&self, job: JobId) -> Result<Vec<BlobKey>, BlobError> {
        let key = BlobKey::from_stored(format!("jobs/{job}"));
        let all: Vec<ObjectMeta> = self
            .store
            .list(Some(&self.place(&key)?))
            .try_collect()
            .await
            .map_err(|error| failed(&key, &error))?;
        Ok(all
            .iter()
            .filter_map(|object| self.key_of(&object.location))
            .collect())
    }
}

#[async_trait::async_trait]
impl BlobStore for S3Blobs {
    async fn put(&self, key: &BlobKey, bytes: Bytes) -> Result<(), BlobError> {
        let put = self.store.put(&self.place(key)?, bytes.into()).await;
        put.map(drop).map_err(|error| failed(key, &error))
    }

    async fn stage(&self, key: &BlobKey) -> Result<Box<dyn StagedBlob>, BlobError> {
        let staged = Staged::begin(self.store.clone(), self.place(key)?, key, self.incoming.clone());
        Ok(Box::new(staged.await?))
    }

    async fn put_file(&self, key: &BlobKey, file: &FilePath) -> Result<(), BlobError> {
        let sent = upload::send(&self.store, &self.place(key)?, file).await;
        sent.map_err(|error| failed(key, &error))
    }

    async fn copy(&self, from: &BlobKey, to: &BlobKey) -> Result<(), BlobError> {
        let copied = self.store.copy(&self.place(from)?, &self.place(to)?).await;
        copied.map_err(|error| match failed(to, &error) {
            BlobError::NotFound { .. } => BlobError::NotFound { key: from.clone() },
            other => other,
        })
    }

    async fn get(&self, key: &BlobKey) -> Result<Bytes, BlobError> {
        let place = self.place(key)?;
        let got = async { self.store.get(&place).await?.bytes().await };
        got.await.map_err(|error| failed(key, &error))
    }

    async fn read(&self, key: &BlobKey, range: Range<u64>) -> Result<BlobStream, BlobError> {
        let place = self.place(key)?;
        if range.is_empty() {
            // No request can ask for nothing.
            self.store
                .head(&place)
                .await
                .map_err(|error| failed(key, &error))?;
            return Ok(Box::pin(stream::empty()));
        }
        let asked = GetOptions {
            range: Some(GetRange::Bounded(range.clone())),
            ..GetOptions::default()
        };
        let found = self.store.get_opts(&place, asked).await;
        let found = found.map_err(|error| failed(key, &error))?;
        let missing = range.end - found.range.end.min(range.end);
        let key = key.clone();
        let of_stream = key.clone();
        let parts = found
            .into_stream()
            .map_err(move |error| failed(&of_stream, &error));
        if missing == 0 {
            return Ok(Box::pin(parts));
        }
        let short = stream::once(async move {
            let reason = format!("{missing} bytes are missing at its end");
            Err(unavailable(&key, reason))
        });
        Ok(Box::pin(parts.chain(short)))
    }

    async fn delete(&self, keys: &[BlobKey]) -> Result<(), BlobError> {
        let Some(first) = keys.first() else { return Ok(()) };
        let places: Vec<Path> = keys.iter().map(|key| self.place(key)).collect::<Result<_, _>>()?;
        let mut deleted = self.store.delete_stream(stream::iter(places).map(Ok).boxed());
        while let Some(deleted) = deleted.next().await {
            match deleted.map_err(|error| failed(first, &error)) {
                Ok(_) | Err(BlobError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn delete_job(&self, job: JobId) -> Result<(), BlobError> {
        let mut keys = self.listed_for(job).await?;
        keys.extend(self.in_its_own_folder(job).await?);
        self.delete(&keys).await
    }

    async fn jobs(&self) -> Result<Vec<JobId>, BlobError> {
        let key = BlobKey::from_stored("jobs".to_owned());
        let mut all = self.store.list(Some(&self.place(&key)?));
        let mut found = Vec::new();
        while let Some(object) = all.next().await {
            let object = object.map_err(|error| failed(&key, &error))?;
            let job = self.key_of(&object.location).and_then(|key| key.job());
            // Those of one job stand together.
            found.extend(job.filter(|job| found.last() != Some(job)));
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    async fn of_job(&self, job: JobId) -> Result<Vec<BlobKey>, BlobError> {
        self.listed_for(job).await
    }

    async fn link(
        &self,
        key: &BlobKey,
        shown: &LinkAs,
        valid_for: Duration,
    ) -> Result<Option<String>, BlobError> {
        if !self.links {
            return Ok(None);
        }
        let place = self.place(key)?;
        // So that a file that is gone is told of here, in our words.
        self.store
            .head(&place)
            .await
            .map_err(|error| failed(key, &error))?;
        let options = SignedUrlOptions::default().with_query([
            ("response-content-type", shown.media_type.as_str()),
            ("response-content-disposition", shown.disposition.as_str()),
            ("response-cache-control", "private, no-store"),
        ]);
        let signed = self
            .store
            .signed_url_opts(Method::GET, &place, valid_for, &options)
            .await;
        signed
            .map(|url| Some(url.to_string()))
            .map_err(|error| failed(key, &error))
    }
}
