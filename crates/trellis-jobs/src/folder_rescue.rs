//! What a blob folder says of itself and of jobs that no row knows: its identity, dockets, digests, numbers of attempts.

use std::io::Read as _;

use trellis_core::{JobId, Sha256};

use crate::blobs::period;
use crate::folder_entries::{attempt, entries};
use crate::{BlobError, BlobKey, BlobStore as _, FolderBlobs, docket, lost_found};

/// The file of the folder's identity, see `kinship.rs`.
const IDENTITY: &str = "identity";

impl FolderBlobs {
    /// Which database the folder belongs to, once that is settled.
    pub(crate) async fn identity(&self) -> Result<Option<String>, BlobError> {
        let read = self.get(&BlobKey::from_stored(IDENTITY.to_owned())).await;
        match read {
            Ok(bytes) => {
                Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned()).filter(|id| !id.is_empty()))
            }
            Err(BlobError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Settles that.
    pub(crate) async fn keep_identity(&self, identity: &str) -> Result<(), BlobError> {
        let key = BlobKey::from_stored(IDENTITY.to_owned());
        self.put(&key, format!("{identity}\n").into()).await
    }

    /// The jobs whose files are set aside, because no row knows them.
    pub async fn aside(&self) -> Result<Vec<JobId>, BlobError> {
        let key = lost_found_key();
        self.blocking(&key, |blobs, _| lost_found::jobs(&blobs.root))
            .await
    }

    /// Puts the files of such a job back into their places.
    pub(crate) async fn bring_back(&self, job: JobId) -> Result<(), BlobError> {
        let key = lost_found_key();
        let back = self.blocking(&key, move |blobs, _| {
            lost_found::bring_back(&blobs.root, job, &blobs.folders)
        });
        back.await
    }

    /// The docket of that key, in its place or set aside.
    pub(crate) async fn docket(&self, job: JobId, key: &BlobKey) -> Result<Vec<u8>, BlobError> {
        let read = self.blocking(key, move |blobs, key| {
            let mut bytes = Vec::new();
            let file = lost_found::open(&blobs.root, job, key)?;
            file.take(docket::MAX_BYTES).read_to_end(&mut bytes)?;
            Ok(bytes)
        });
        read.await
    }

    /// Size and digest of a job's file, in its place or set aside.
    pub(crate) async fn digest(&self, job: JobId, key: &BlobKey) -> Result<(u64, Sha256), BlobError> {
        let digest = self.blocking(key, move |blobs, key| {
            Sha256::of_reader(lost_found::open(&blobs.root, job, key)?)
        });
        digest.await
    }

    /// The highest number of an attempt that left files of that job, in their place or set aside.
    pub(crate) async fn attempts(&self, job: JobId) -> Result<u32, BlobError> {
        let key = BlobKey::from_stored(format!("jobs/{job}"));
        let found = self.blocking(&key, move |blobs, _| {
            let places = [
                blobs.jobs_folder().join(period(job)),
                lost_found::folder(&blobs.root, job),
            ];
            let mut highest = 0;
            for place in places {
                let names = entries(&place)?.into_iter();
                let numbers = names.filter_map(|entry| attempt(job, entry.file_name().to_str()?));
                highest = numbers.max().unwrap_or(0).max(highest);
            }
            Ok(highest)
        });
        found.await
    }
}

fn lost_found_key() -> BlobKey {
    BlobKey::from_stored(lost_found::NAME.to_owned())
}
