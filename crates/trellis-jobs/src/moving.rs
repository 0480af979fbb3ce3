//! Moves the jobs of one store and their files into another, with nobody working on the first.
//!
//! Files go first, then the job's row in one transaction: a move that is cut off leaves whole jobs, and files that the next
//! run finds there or brings again. In the end every job is looked for and every file is read again where it went to, whichever run brought it.
//! What is moved stays in its old place too.

use futures::StreamExt as _;
use jiff::Timestamp;
use trellis_core::{JobId, JobState, Sha256, Sha256Hasher, Transition};

use crate::{BlobError, BlobKey, BlobStore, Gives, StoreError, StoredJob, SweepError, Takes, WholeJob};

/// So many jobs are read at a time.
const BATCH: u32 = 256;

/// What a move did and found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    /// Jobs that were brought now.
    pub jobs: u64,
    /// Jobs that an earlier run had brought.
    pub known: u64,
    /// Files that are there, compared with their digests.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that were missing or not the right bytes in their old place already.
    pub damaged: Vec<BlobKey>,
    /// Jobs that are not there as they were, or have a file that is not: nothing should go by this store before that is
    /// understood.
    pub wrong: Vec<JobId>,
}

/// A file that a job lists.
struct Listed {
    key: BlobKey,
    size_bytes: u64,
    sha256: Sha256,
}

/// Moves all jobs of `from`.
pub async fn move_jobs(
    from: (&dyn Gives, &dyn BlobStore),
    to: (&dyn Takes, &dyn BlobStore),
) -> Result<Moved, SweepError> {
    let mut moved = Moved::default();
    let mut after = 0;
    loop {
        let jobs = from.0.wholes(after, BATCH).await?;
        for (number, job) in &jobs {
            after = *number;
            let job = job.clone().handed_back(Timestamp::now());
            match to.0.find(job.stored.job.id).await {
                Ok(_) => {
                    bring_files(&job, from.1, to.1, &mut moved).await?;
                    moved.known += 1;
                }
                Err(StoreError::NotFound { .. }) => {
                    bring_files(&job, from.1, to.1, &mut moved).await?;
                    to.0.take(&job).await?;
                    moved.jobs += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if jobs.is_empty() {
            break;
        }
    }
    compare(from.0, to, &mut moved).await?;
    Ok(moved)
}

async fn bring_files(
    job: &WholeJob,
    from: &dyn BlobStore,
    to: &dyn BlobStore,
    moved: &mut Moved,
) -> Result<(), SweepError> {
    let listed = job.files();
    for file in &listed {
        if !is_whole(file, to).await? && !bring(file, from, to).await? {
            moved.damaged.push(file.key.clone());
        }
    }
    let id = job.stored.job.id;
    // What an export is made from, say. The server writes dockets again.
    for key in from.of_job(id).await? {
        let is_docket = key == BlobKey::accepted(id) || key == BlobKey::ended(id);
        if !is_docket && !listed.iter().any(|file| file.key == key) {
            to.put(&key, from.get(&key).await?).await?;
        }
    }
    Ok(())
}

/// Copies a file; `false`: it is not what the job lists.
async fn bring(file: &Listed, from: &dyn BlobStore, to: &dyn BlobStore) -> Result<bool, BlobError> {
    let mut parts = match from.read(&file.key, 0..file.size_bytes).await {
        Ok(parts) => parts,
        Err(BlobError::NotFound { .. }) => return Ok(false),
        Err(error) => return Err(error),
    };
    let mut staged = to.stage(&file.key).await?;
    let mut digest = Sha256Hasher::default();
    while let Some(part) = parts.next().await {
        // A file that is too short ends so.
        let Ok(part) = part else { return Ok(false) };
        digest.update(&part);
        staged.append(part).await?;
    }
    if digest.finish().1 != file.sha256 {
        return Ok(false);
    }
    staged.keep().await?;
    Ok(true)
}

/// Looks for every job and reads every file where they went to.
async fn compare(
    from: &dyn Gives,
    to: (&dyn Takes, &dyn BlobStore),
    moved: &mut Moved,
) -> Result<(), SweepError> {
    let mut after = 0;
    loop {
        let jobs = from.wholes(after, BATCH).await?;
        let Some((last, _)) = jobs.last() else {
            return Ok(());
        };
        after = *last;
        for (_, job) in &jobs {
            let id = job.stored.job.id;
            let is_there = match to.0.find(id).await {
                Ok(found) => job.is_as(&found),
                Err(StoreError::NotFound { .. }) => false,
                Err(error) => return Err(error.into()),
            };
            let mut right = is_there;
            for file in job.files() {
                if is_whole(&file, to.1).await? {
                    moved.files += 1;
                    moved.bytes += file.size_bytes;
                } else {
                    right &= moved.damaged.contains(&file.key);
                }
            }
            if !right {
                moved.wrong.push(id);
            }
        }
    }
}

async fn is_whole(file: &Listed, blobs: &dyn BlobStore) -> Result<bool, BlobError> {
    let mut parts = match blobs.read(&file.key, 0..file.size_bytes).await {
        Ok(parts) => parts,
        Err(BlobError::NotFound { .. }) => return Ok(false),
        Err(error) => return Err(error),
    };
    let mut digest = Sha256Hasher::default();
    while let Some(part) = parts.next().await {
        let Ok(part) = part else { return Ok(false) };
        digest.update(&part);
    }
    Ok(digest.finish().1 == file.sha256)
}

impl WholeJob {
    /// Queued again, uncharged, where it was worked on: nobody does any more.
    fn handed_back(mut self, now: Timestamp) -> Self {
        let job = &mut self.stored.job;
        if job.state == JobState::Running {
            job.state = JobState::Queued;
            job.progress = None;
            job.history.push(Transition {
                state: JobState::Queued,
                at: now,
                attempt: job.attempt,
            });
            self.charged = self.charged.saturating_sub(1);
        }
        self
    }

    /// Whether the other one is this job, as far as nothing has happened to it since.
    fn is_as(&self, found: &StoredJob) -> bool {
        let (ours, theirs) = (&self.stored, found);
        let same = ours.owner == theirs.owner
            && ours.inputs == theirs.inputs
            && ours.job.params == theirs.job.params
            && ours.job.priority == theirs.job.priority
            && ours.job.created_at == theirs.job.created_at;
        let as_it_ended = !ours.job.state.is_final()
            || (ours.job.state == theirs.job.state
                && ours.artifacts == theirs.artifacts
                && ours.job.artifacts == theirs.job.artifacts
                && ours.statement == theirs.statement
                && ours.job.failure == theirs.job.failure);
        same && as_it_ended
    }

    /// The files that it lists.
    fn files(&self) -> Vec<Listed> {
        let StoredJob {
            job,
            inputs,
            artifacts,
            statement,
            thumbnail,
            latents,
            ..
        } = &self.stored;
        let listed = |key: &BlobKey, size_bytes, sha256| Listed {
            key: key.clone(),
            size_bytes,
            sha256,
        };
        let pictures = job.inputs.iter().zip(inputs);
        let pictures = pictures.map(|(input, key)| listed(key, input.size_bytes, input.sha256));
        let results = job.artifacts.iter().zip(artifacts);
        let results = results.map(|(file, key)| listed(key, file.size_bytes, file.sha256));
        let statement = job.statement.iter().zip(statement);
        let statement = statement.map(|(file, key)| listed(key, file.size_bytes, file.sha256));
        let small = thumbnail.iter();
        let small = small.map(|small| listed(&small.key, small.size_bytes, small.sha256));
        let sampled = latents.iter();
        let sampled = sampled.map(|latents| listed(&latents.key, latents.size_bytes, latents.sha256));
        let files = pictures.chain(results).chain(statement);
        files.chain(small).chain(sampled).collect()
    }
}
