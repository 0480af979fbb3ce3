//! What a blob folder says of jobs that no row knows: dockets, digests, numbers of attempts.

use std::io::Read as _;

use trellis_core::{JobId, Sha256};

use crate::blobs::period;
use crate::folder_entries::{attempt, entries};
use crate::{BlobError, BlobKey, FolderBlobs, docket, lost_found};

impl FolderBlobs {
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
