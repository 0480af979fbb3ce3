//! Something to look at until the real asset is there: while a job waits or is worked on, another backend
//! makes a quick one on the CPU.
//!
//! One at a time, the oldest job first, whether or not a real backend is ready for it.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tracing::debug;
use trellis_backend::{Backend, Finishing, Made, Pictures, Piece, Reporter, Request};
use trellis_core::{Format, JobId, Progress};
use trellis_jobs::ClaimFilter;

use crate::scratch;
use crate::shared::Shared;
use crate::upload::Place;

/// The name of a preview's file.
const NAME: &str = "preview.glb";
/// In the place of an attempt's number, which counts from 1.
const NO_ATTEMPT: u32 = 0;
/// How often jobs are looked for without a hint of the store.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why there is no preview; the job itself will say more.
type Reason = Box<dyn std::error::Error + Send + Sync>;

/// Takes no reports: the job's progress is the real one's.
struct Silent;

impl Reporter for Silent {
    fn progress(&self, _: Progress) {}
}

pub(crate) struct Previews {
    shared: Arc<Shared>,
    maker: Arc<dyn Backend>,
    /// Live jobs that can have none.
    without: HashSet<JobId>,
}

impl Previews {
    pub(crate) fn new(shared: Arc<Shared>, maker: Arc<dyn Backend>) -> Self {
        Self {
            shared,
            maker,
            without: HashSet::new(),
        }
    }

    /// Makes previews until the runner closes.
    pub(crate) async fn run(mut self) {
        let mut changes = self.shared.store.arrivals();
        while !self.shared.closing.is_cancelled() {
            changes.mark_seen();
            if let Some(job) = self.next().await {
                if let Err(reason) = self.make(job).await {
                    debug!(%job, %reason, "no preview");
                    self.without.insert(job);
                }
                continue;
            }
            tokio::select! {
                () = self.shared.closing.cancelled() => {}
                _ = changes.changed() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// The oldest live job of a real backend that has no preview yet and can have one.
    async fn next(&mut self) -> Option<JobId> {
        // Else those that wait for room would be taken for such that can have none.
        if !self.shared.has_room().await {
            return None;
        }
        let registry = &self.shared.registry;
        let real = registry
            .all()
            .iter()
            .filter(|backend| !backend.capabilities().preview);
        let filter = ClaimFilter::of(real.flat_map(|backend| registry.claims(backend.as_ref())));
        let limit = u32::try_from(self.without.len() + 1).unwrap_or(u32::MAX);
        let found = self.shared.store.without_preview(&filter, limit).await.ok()?;
        if let Some(job) = found.iter().find(|job| !self.without.contains(job)) {
            return Some(*job);
        }
        // All that there are: what is not among them has ended.
        self.without.retain(|job| found.contains(job));
        None
    }

    async fn make(&self, job: JobId) -> Result<(), Reason> {
        let folder = scratch::make(&self.shared.settings.scratch, job, NO_ATTEMPT).await?;
        let made = self.make_in(&folder, job).await;
        scratch::remove(&folder).await;
        made
    }

    async fn make_in(&self, folder: &Path, job: JobId) -> Result<(), Reason> {
        let Shared { store, blobs, .. } = self.shared.as_ref();
        let found = store.find(job).await?;
        if found.job.textures_a_mesh() {
            return Err("it would show another shape than the mesh".into());
        }
        let mut inputs = found.job.inputs.into_iter().zip(found.inputs);
        let (input, picture) = inputs.next().ok_or("it has no picture")?;
        let began_at = Timestamp::now();
        let mut params = found.job.params;
        params.formats = vec![Format::Glb];
        let request = Request {
            job,
            attempt: NO_ATTEMPT,
            // One picture is enough, and backends may refuse more.
            pictures: vec![blobs.get(&picture).await?],
            mesh: None,
            source: None,
            latents: trellis_backend::Latents::Forget,
            name: input.name.clone().unwrap_or_default(),
            params: params.clone(),
            traceparent: found.job.traceparent,
            scratch: folder.to_owned(),
        };
        let cancel = self.shared.closing.child_token();
        let maker = self.maker.as_ref();
        let output = maker.generate(request, &Silent, cancel).await?;
        let origin = &self.shared.origin;
        let finishing = Finishing {
            job,
            began_at,
            pictures: Pictures {
                sha256: vec![input.sha256],
                source: None,
                name: input.name,
            },
            params,
            scratch: folder.to_owned(),
        };
        let named = |made: Made| {
            Ok(vec![Piece {
                name: NAME.to_owned(),
                ..made.into()
            }])
        };
        let finished = origin.finish(maker, finishing, output, named).await?;
        let place = Place {
            blobs: blobs.as_ref(),
            job,
            attempt: NO_ATTEMPT,
        };
        let stored = place.store_all(finished.files).await?;
        let mut stored = stored.into_iter().next().ok_or("there is no file")?;
        stored.artifact.preview = true;
        let key = stored.key.clone();
        if let Err(error) = store.preview(job, Timestamp::now(), stored).await {
            if !error.may_be_done() {
                // It ended meanwhile.
                blobs.delete(&[key]).await?;
            }
            return Err(error.into());
        }
        Ok(())
    }
}
