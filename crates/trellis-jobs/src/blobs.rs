//! The contract of a store for large bytes: pictures and assets, named by key.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trellis_core::JobId;

use crate::{Room, advice};

/// The name of a blob, a relative path with `/`: `jobs/PERIOD/JOB.REST`. Jobs that came within the same
/// 17 minutes share a period, so that their files share a folder and its flushes. Earlier versions gave each job
/// folders of its own, `jobs/JOB/…`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlobKey(String);

impl BlobKey {
    /// The key of a job's picture.
    pub fn input(job: JobId, index: u32) -> Self {
        Self::of_job(job, format_args!("input.{index}"))
    }

    /// The key of the mesh that a job textures.
    pub fn mesh(job: JobId) -> Self {
        Self::of_job(job, format_args!("mesh"))
    }

    /// The key of a body that is read once it is whole; never kept.
    pub(crate) fn body(job: JobId) -> Self {
        Self::of_job(job, format_args!("body"))
    }

    /// The key of a file made by one attempt. Attempts do not share keys: a worker thought dead
    /// cannot overwrite what its successor wrote. `name` must be a plain file name.
    pub fn artifact(job: JobId, attempt: u32, name: &str) -> Self {
        Self::of_job(job, format_args!("{attempt}.{name}"))
    }

    /// The key of the statement about one attempt's files, kept apart from them.
    pub fn statement(job: JobId, attempt: u32, name: &str) -> Self {
        Self::of_job(job, format_args!("statement.{attempt}.{name}"))
    }

    /// The key of a small picture of a job. `number`, by chance, tells it from one whose place it takes.
    pub(crate) fn thumbnail(job: JobId, number: u64) -> Self {
        Self::of_job(job, format_args!("thumbnail.{number:016x}"))
    }

    /// The key of the GLB from which an export is converted.
    pub fn source(job: JobId) -> Self {
        Self::of_job(job, format_args!("source.glb"))
    }

    /// The key of what one attempt sampled, kept apart from its files.
    pub fn latents(job: JobId, attempt: u32) -> Self {
        Self::of_job(job, format_args!("latents.{attempt}.safetensors"))
    }

    /// The key of what an earlier job sampled, from which an export is decoded.
    pub fn source_latents(job: JobId) -> Self {
        Self::of_job(job, format_args!("source.safetensors"))
    }

    /// The key of the docket that says what was asked, see [`crate::Docketed`].
    pub(crate) fn accepted(job: JobId) -> Self {
        Self::of_job(job, format_args!("accepted.json"))
    }

    /// The key of the docket that says how the job ended.
    pub(crate) fn ended(job: JobId) -> Self {
        Self::of_job(job, format_args!("ended.json"))
    }

    /// Whether it is the key of something of that job.
    pub fn belongs_to(&self, job: JobId) -> bool {
        self.job() == Some(job)
    }

    /// The job that it is the key of something of.
    pub fn job(&self) -> Option<JobId> {
        let (folder, rest) = self.0.strip_prefix("jobs/")?.split_once('/')?;
        if let Ok(job) = folder.parse() {
            return Some(job);
        }
        let job = rest.split_once('.')?.0.parse().ok()?;
        (period(job) == folder).then_some(job)
    }

    /// What the keys of this version that belong to the job begin with, and no others.
    pub fn beginning_of(job: JobId) -> String {
        format!("jobs/{}/{job}.", period(job))
    }

    /// Which attempt made the file, 0 for a preview; `None`: it is not the file of an attempt.
    pub(crate) fn attempt(&self) -> Option<u32> {
        let mut parts = self.0.rsplit('/').next()?.split('.').skip(1);
        match parts.next()? {
            "statement" | "latents" => parts.next()?,
            attempt => attempt,
        }
        .parse()
        .ok()
    }

    fn of_job(job: JobId, rest: fmt::Arguments<'_>) -> Self {
        Self(format!("jobs/{}/{job}.{rest}", period(job)))
    }

    /// A key as it was stored.
    pub fn from_stored(key: String) -> Self {
        Self(key)
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The key of the store's identity, see [`crate::Kinship`].
fn identity_key() -> BlobKey {
    BlobKey::from_stored("identity".to_owned())
}

/// The first digits of a job's id, which begins with the time of its submission in milliseconds: they change
/// every 2²⁰ ms.
pub(crate) fn period(job: JobId) -> String {
    let mut id = job.to_string();
    id.truncate(7);
    id
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why bytes could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// Nothing is there.
    #[error("`{key}` is not in the blob store")]
    NotFound {
        /// The key asked for.
        key: BlobKey,
    },
    /// The disk or the quota is full.
    #[error("`{key}` cannot be written: the disk is full")]
    Full {
        /// The key.
        key: BlobKey,
        /// What the system said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Anything else.
    #[error("`{key}` cannot be written or read")]
    Unavailable {
        /// The key.
        key: BlobKey,
        /// What the system said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl BlobError {
    /// The stable name in JSON, metrics, docs and tests.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "blob_not_found",
            Self::Full { .. } => "storage_full",
            Self::Unavailable { .. } => "blobs_unavailable",
        }
    }

    /// What to do about it, one sentence.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "submit the job again: its file was removed from the data directory",
            Self::Full { .. } => advice::FREE_SPACE,
            Self::Unavailable { .. } => advice::READ_LOG,
        }
    }
}

/// The bytes of a blob, part by part. After an error nothing more comes.
pub type BlobStream = Pin<Box<dyn Stream<Item = Result<Bytes, BlobError>> + Send>>;

/// Reads from anywhere in a file.
pub trait ReadSeek: io::Read + io::Seek + Send {}

impl<T: io::Read + io::Seek + Send> ReadSeek for T {}

/// A blob that is being written part by part. Its key leads nowhere before it is kept. Dropped before that, it leaves
/// nothing behind, though perhaps a little later.
///
/// A store that is elsewhere has a copy of its own to read from until the blob is kept, and may send the parts on as they
/// come or then.
#[async_trait::async_trait]
pub trait StagedBlob: Send + Sync {
    /// Adds the next bytes. Where that fails, or is not waited for to its end, the blob cannot be used any more.
    async fn append(&mut self, part: Bytes) -> Result<(), BlobError>;

    /// What was written so far, from its beginning; for a thread that may block. The reader outlives the blob.
    async fn reopen(&mut self) -> Result<Box<dyn ReadSeek>, BlobError>;

    /// Gives the bytes their key. They survive a power cut when this returns.
    async fn keep(self: Box<Self>) -> Result<(), BlobError>;
}

/// How a browser or another client is to take what a link leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkAs {
    /// Its media type.
    pub media_type: String,
    /// The value of `Content-Disposition`.
    pub disposition: String,
}

/// A store for large bytes. A key is written once; a write is whole or not there.
#[async_trait::async_trait]
pub trait BlobStore: Send + Sync + 'static {
    /// Writes bytes; they survive a power cut when this returns.
    async fn put(&self, key: &BlobKey, bytes: Bytes) -> Result<(), BlobError>;

    /// Begins a blob that is written part by part.
    async fn stage(&self, key: &BlobKey) -> Result<Box<dyn StagedBlob>, BlobError>;

    /// Takes over a finished local file, which may be gone from its place afterwards; that may be on another file
    /// system. The bytes survive a power cut when this returns.
    async fn put_file(&self, key: &BlobKey, file: &Path) -> Result<(), BlobError>;

    /// Gives the bytes of `from` a second key, which outlives the first; without a second copy where the
    /// store can.
    async fn copy(&self, from: &BlobKey, to: &BlobKey) -> Result<(), BlobError>;

    /// All bytes.
    async fn get(&self, key: &BlobKey) -> Result<Bytes, BlobError>;

    /// A part, `range` within the size, for a reader that may be slow. The blob is found or not before this
    /// returns, and opened once.
    async fn read(&self, key: &BlobKey, range: Range<u64>) -> Result<BlobStream, BlobError>;

    /// Removes blobs; those already gone are no error.
    async fn delete(&self, keys: &[BlobKey]) -> Result<(), BlobError>;

    /// Removes everything of one job, whatever its keys.
    async fn delete_job(&self, job: JobId) -> Result<(), BlobError>;

    /// The jobs that have anything here that was written to its end.
    async fn jobs(&self) -> Result<Vec<JobId>, BlobError>;

    /// Writes bytes that a power cut may take, without waiting for the disk.
    async fn jot(&self, key: &BlobKey, bytes: Bytes) -> Result<(), BlobError> {
        self.put(key, bytes).await
    }

    /// An address at which whoever has it can read a blob without this server, `valid_for` so long. `None`: this store
    /// has no such addresses. The blob is found or not before this returns.
    async fn link(
        &self,
        _key: &BlobKey,
        _shown: &LinkAs,
        _valid_for: Duration,
    ) -> Result<Option<String>, BlobError> {
        Ok(None)
    }

    /// Which database the blobs belong to, once that is settled.
    async fn identity(&self) -> Result<Option<String>, BlobError> {
        match self.get(&identity_key()).await {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes).trim().to_owned();
                Ok(Some(text).filter(|text| !text.is_empty()))
            }
            Err(BlobError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Settles that.
    async fn keep_identity(&self, identity: &str) -> Result<(), BlobError> {
        self.put(&identity_key(), format!("{identity}\n").into()).await
    }

    /// The jobs whose files are set aside, because no row knows them.
    async fn aside(&self) -> Result<Vec<JobId>, BlobError> {
        Ok(Vec::new())
    }

    /// Puts everything of a job that nobody knows out of the way, where it waits from `now` on to be rescued.
    /// `false`: this store cannot, and it stays where it is.
    async fn set_aside(&self, _job: JobId, _now: Timestamp) -> Result<bool, BlobError> {
        Ok(false)
    }

    /// Removes what has waited there since before that time; returns its jobs.
    async fn sweep_set_aside(&self, _before: Timestamp) -> Result<Vec<JobId>, BlobError> {
        Ok(Vec::new())
    }

    /// What was written to its end for one job. Files that an earlier version kept in another way need not be named.
    async fn of_job(&self, _job: JobId) -> Result<Vec<BlobKey>, BlobError> {
        Ok(Vec::new())
    }

    /// How much room there is; `None`: that is not known.
    async fn room(&self) -> Option<Room> {
        None
    }

    /// Removes what writes that were cut off left behind, where nothing was added for so long.
    /// Returns how many. A store that leaves nothing behind has nothing to do.
    async fn sweep_unfinished(&self, _untouched_for: Duration) -> Result<u64, BlobError> {
        Ok(0)
    }
}
