//! The one way out: forgets finished jobs beyond what is to be kept.
//!
//! Files of jobs that the database deleted are removed. Files of jobs that it does not know are set aside first: the
//! database may be a copy of yesterday. And while the clock is not believed (`clock.rs`), nothing is forgotten at all,
//! because everything here goes by age.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use trellis_core::JobId;

use crate::clock::{Look, Moment, Verdict};
use crate::leftovers::{clear_leftovers, may_have_any};
use crate::rules::{Command, Edit};
use crate::{BlobStore, JobStore, KeptLatents, Owner, Rights, StoreError, SweepError};

/// Blobs without a row are left alone for so long: their job may be on its way in.
const GRACE: Duration = Duration::from_secs(3600);
/// Files of unknown jobs wait for so long to be rescued.
const SET_ASIDE_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Under which the database keeps the last look at the clock.
const CLOCK: &str = "clock";
const BATCH: u32 = 256;
const SECONDS_PER_DAY: i64 = 86_400;

/// What is kept. Live jobs always are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// At most so many finished jobs, the newest; `None`: no limit.
    pub keep_jobs: Option<u64>,
    /// Finished jobs for so many days; `None`: for ever.
    pub keep_days: Option<u32>,
    /// Of what was sampled for them at most so many bytes, the newest.
    pub latent_bytes: u64,
    /// What was sampled for them for so many hours; `None`: as long as its job.
    pub latent_hours: Option<u32>,
}

/// What a sweep removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Finished jobs, with their blobs.
    pub jobs: Vec<JobId>,
    /// Deleted jobs whose files had stayed.
    pub deleted: Vec<JobId>,
    /// Jobs that the database does not know, whose files were set aside.
    pub set_aside: Vec<JobId>,
    /// Jobs whose files were set aside long ago and are gone now.
    pub given_up: Vec<JobId>,
    /// Files left by writes that were cut off.
    pub unfinished: u64,
    /// Files left by attempts that were lost.
    pub leftovers: u64,
    /// Jobs whose latents are kept no longer.
    pub latents: u64,
}

/// What becomes of files of jobs that the database does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// They are set aside, and removed a month later.
    SetAside,
    /// They stay: the database and the files do not belong together ([`crate::Kinship::Parted`]).
    Leave,
}

/// Removes what need not be kept.
#[derive(Clone)]
pub struct Janitor {
    /// Where jobs are kept.
    pub store: Arc<dyn JobStore>,
    /// Where their files are kept.
    pub blobs: Arc<dyn BlobStore>,
    /// What stays.
    pub retention: Retention,
    /// What becomes of files of unknown jobs.
    pub unknown: Unknown,
}

impl Janitor {
    /// Sweeps once; while the clock is not believed, not at all.
    pub async fn sweep(&self, at: &Moment) -> Result<Swept, SweepError> {
        let mut swept = Swept::default();
        if self.believes(at).await? {
            self.sweep_expired(at.now, &mut swept).await?;
            self.sweep_latents(at.now, &mut swept).await?;
            self.sweep_deleted(&mut swept).await?;
            self.sweep_files(at.now, &mut swept).await?;
            if self.unknown == Unknown::SetAside {
                // Before the beginning of time nothing was set aside.
                if let Ok(before) = at.now.checked_sub(SET_ASIDE_FOR) {
                    swept.given_up = self.blobs.sweep_set_aside(before).await?;
                }
            }
            swept.unfinished = self.blobs.sweep_unfinished(GRACE).await?;
        }
        Ok(swept)
    }

    /// Sweeps now and then until told to stop. A sweep that fails is tried again the next time.
    pub async fn run(self, interval: Duration, shutdown: CancellationToken) {
        loop {
            match self.sweep(&Moment::now()).await {
                Ok(swept) => swept.tell(),
                Err(error) => warn!(error = &error as &dyn std::error::Error, "sweep failed"),
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(interval) => {}
            }
        }
    }

    /// Looks at the clock, and remembers what it saw.
    async fn believes(&self, at: &Moment) -> Result<bool, SweepError> {
        let before = self.store.memo(CLOCK).await?;
        // What cannot be read is of another version.
        let before = before.and_then(|text| serde_json::from_str::<Look>(&text).ok());
        let (look, verdict) = match before.clone() {
            Some(before) => before.again(at),
            None => Look::first(self.store.newest().await?, at),
        };
        if !before.is_some_and(|before| look.adds_nothing_to(&before)) {
            let text = serde_json::to_string(&look).expect("texts and numbers are JSON");
            self.store.keep_memo(CLOCK, &text).await?;
        }
        match verdict {
            Verdict::Jumped(by) => warn!(
                days = by.as_hours() / 24,
                "the clock has jumped since it was last looked at; nothing is forgotten until the new time has held for \
                 24 hours. After a long pause this is normal; else correct the clock"
            ),
            Verdict::Settled => info!("the new time has held; jobs are forgotten by it from now on"),
            Verdict::Believed | Verdict::Waiting => {}
        }
        Ok(verdict.believed())
    }

    async fn sweep_expired(&self, now: Timestamp, swept: &mut Swept) -> Result<(), SweepError> {
        let Retention {
            keep_jobs, keep_days, ..
        } = self.retention;
        // Before the beginning of time there is nothing to forget.
        let ended_before = keep_days.and_then(|days| {
            now.checked_sub(SignedDuration::from_secs(i64::from(days) * SECONDS_PER_DAY))
                .ok()
        });
        loop {
            let expired = self.store.expired(keep_jobs, ended_before, BATCH).await?;
            for id in &expired {
                match self.store.apply(*id, now, Command::Delete).await {
                    Ok(_) => {}
                    // Another process was faster.
                    Err(StoreError::NotFound { .. }) => continue,
                    Err(error) => return Err(error.into()),
                }
                // The row goes first: a crash in between leaves files to remove, never a job without its files.
                self.blobs.delete_job(*id).await?;
                swept.jobs.push(*id);
            }
            if expired.len() < BATCH as usize {
                return Ok(());
            }
        }
    }

    /// Forgets what was sampled beyond what is to be kept. The file goes first: a crash in between leaves a row that the
    /// next sweep finds, and until then the file is missing, which an export says.
    async fn sweep_latents(&self, now: Timestamp, swept: &mut Swept) -> Result<(), SweepError> {
        let Retention {
            latent_bytes,
            latent_hours,
            ..
        } = self.retention;
        let janitor = Owner::default().with(Rights {
            sees_all: true,
            ..Rights::default()
        });
        let mut kept_bytes = 0_u64;
        for KeptLatents {
            job,
            ended_at,
            latents,
        } in self.store.with_latents().await?
        {
            let with_it = kept_bytes.saturating_add(latents.size_bytes);
            let is_old = latent_hours.is_some_and(|hours| {
                now.duration_since(ended_at) >= SignedDuration::from_hours(hours.into())
            });
            if with_it <= latent_bytes && !is_old {
                kept_bytes = with_it;
                continue;
            }
            self.blobs.delete(&[latents.key]).await?;
            let command = Command::Edit {
                by: janitor.clone(),
                edit: Edit::DropLatents,
            };
            match self.store.apply(job, now, command).await {
                Ok(_) => swept.latents += 1,
                // Deleted meanwhile.
                Err(StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn sweep_deleted(&self, swept: &mut Swept) -> Result<(), SweepError> {
        let deleted = self.store.deleted().await?;
        if deleted.is_empty() {
            return Ok(());
        }
        let with_files: HashSet<JobId> = self.blobs.jobs().await?.into_iter().collect();
        for id in &deleted {
            if with_files.contains(id) {
                self.blobs.delete_job(*id).await?;
                swept.deleted.push(*id);
            }
        }
        Ok(self.store.forget_deleted(&deleted).await?)
    }

    /// Clears what lost attempts left, and sets aside what nobody knows.
    async fn sweep_files(&self, now: Timestamp, swept: &mut Swept) -> Result<(), SweepError> {
        let grace = SignedDuration::try_from(GRACE).expect("an hour fits");
        for id in self.blobs.jobs().await? {
            let age = id
                .made_at()
                .map_or(SignedDuration::MAX, |made_at| now.duration_since(made_at));
            if age < grace {
                continue;
            }
            match self.store.find(id).await {
                Ok(job) if may_have_any(&job) => {
                    swept.leftovers += clear_leftovers(&*self.store, &*self.blobs, id).await?;
                }
                Ok(_) => {}
                Err(StoreError::NotFound { .. }) if self.unknown == Unknown::Leave => {}
                Err(StoreError::NotFound { .. }) => {
                    if self.blobs.set_aside(id, now).await? {
                        swept.set_aside.push(id);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

impl Swept {
    fn tell(&self) {
        if let Some(first) = self.set_aside.first() {
            warn!(
                jobs = self.set_aside.len(),
                %first,
                "files of jobs that the job database does not know are set aside in `blobs/lost+found` and removed in 30 \
                 days; to list the jobs again, stop the server and run `trellis jobs rescue`"
            );
        }
        if !self.given_up.is_empty() {
            let jobs = self.given_up.len();
            warn!(
                jobs,
                "removed files from `blobs/lost+found` that nobody rescued within 30 days"
            );
        }
        let files = self.unfinished + self.leftovers;
        if !self.jobs.is_empty() || !self.deleted.is_empty() || files + self.latents > 0 {
            info!(
                jobs = self.jobs.len(),
                deleted = self.deleted.len(),
                unfinished = self.unfinished,
                leftovers = self.leftovers,
                latents = self.latents,
                "removed what need not be kept"
            );
        }
    }
}
