//! What the handlers share.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use trellis_backend::Registry;
use trellis_core::Gpu;
use trellis_jobs::{HeavyWork, Jobs, StoreError};
use trellis_webhook::WebhookRules;

use crate::ReadingPace;
use crate::attempts::Attempts;
use crate::crowd::Crowd;
use crate::glance::kept_for;
use crate::hosts::AllowedHosts;
use crate::keys::{Access, KeyRing};
use crate::metrics::Metrics;
use crate::origins::AllowedOrigins;
use crate::pace::Pace;
use crate::proxies::TrustedProxies;
use crate::sessions::Sessions;

/// For how long what the driver told of the GPUs is told again.
const GPUS_FOR: Duration = Duration::from_secs(1);

/// Limits of the HTTP edge; those of a submission are the job service's.
#[derive(Debug, Clone)]
pub struct HttpLimits {
    /// How many connections there may be; then idle ones make room.
    pub connections: usize,
    /// How long a connection may take for the headers of its next request.
    pub header_time: Duration,
    /// The largest body taken, bytes.
    pub body_bytes: usize,
    /// How slowly a client may send a body.
    pub pace: Pace,
    /// How slowly a client may read answers.
    pub reading: ReadingPace,
    /// After so long without an event a comment is sent to followers of a job.
    pub event_heartbeat: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections: 1024,
            header_time: Duration::from_secs(30),
            body_bytes: 64 * 1024 * 1024,
            pace: Pace::default(),
            reading: ReadingPace::default(),
            event_heartbeat: Duration::from_secs(15),
        }
    }
}

/// What the edge is made of.
pub struct AppParts {
    /// The jobs.
    pub jobs: Jobs,
    /// What makes assets.
    pub registry: Arc<Registry>,
    /// Those of this server alone, where several share a job store.
    pub here: Registry,
    /// Limits.
    pub limits: HttpLimits,
    /// The program's version.
    pub version: String,
    /// By which names the server may be addressed.
    pub allowed_hosts: AllowedHosts,
    /// The proxies that say where a request comes from.
    pub trusted_proxies: TrustedProxies,
    /// The sites whose pages may use this server.
    pub allowed_origins: AllowedOrigins,
    /// Who may use this server.
    pub keys: KeyRing,
    /// What is measured. The store tells it of jobs, where it is observed.
    pub metrics: Metrics,
    /// Which addresses a job's webhook may have; `None`: jobs have no webhooks here.
    pub webhooks: Option<WebhookRules>,
    /// Whether the client of k0sti/crossworld is answered too.
    pub crossworld: bool,
    /// By which names the listener for StableProjectorz may be addressed.
    pub projectorz_hosts: AllowedHosts,
    /// Whether everybody may read the figures.
    pub public_metrics: bool,
    /// By which names the listener for the figures alone may be addressed.
    pub metrics_hosts: AllowedHosts,
    /// Memory for looking at pictures that no job is made of, apart from that for submissions.
    pub preprocessing: HeavyWork,
    /// Asks the driver for this machine's GPUs; none where there is no driver. May block for some milliseconds.
    pub gpus: Arc<dyn Fn() -> Vec<Gpu> + Send + Sync>,
}

/// Shared by all handlers; cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) parts: AppParts,
    pub(crate) started_at: Timestamp,
    pub(crate) attempts: Attempts,
    pub(crate) sessions: Sessions,
    pub(crate) crowd: Crowd,
    /// Set when the server stops: followers of jobs are let go.
    pub(crate) stopping: CancellationToken,
}

impl AppState {
    /// The state of a server made of `parts`.
    pub fn new(mut parts: AppParts) -> Self {
        let gpus = Arc::clone(&parts.gpus);
        // The driver takes some milliseconds, and each page that is open asks every second.
        parts.gpus = Arc::new(kept_for(GPUS_FOR, move || gpus()));
        Self(Arc::new(Shared {
            parts,
            started_at: Timestamp::now(),
            attempts: Attempts::default(),
            sessions: Sessions::default(),
            crowd: Crowd::default(),
            stopping: CancellationToken::new(),
        }))
    }
}

impl std::ops::Deref for AppState {
    type Target = AppParts;

    fn deref(&self) -> &AppParts {
        &self.0.parts
    }
}

impl AppState {
    pub(crate) fn attempts(&self) -> &Attempts {
        &self.0.attempts
    }

    pub(crate) fn crowd(&self) -> &Crowd {
        &self.0.crowd
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    /// What a session's cookie opens.
    pub(crate) async fn session(&self, cookie: &str) -> Result<Access, StoreError> {
        self.sessions().of(&self.keys, &*self.jobs.store, cookie).await
    }

    /// When this server was made.
    pub(crate) fn started_at(&self) -> Timestamp {
        self.0.started_at
    }

    pub(crate) fn stopping(&self) -> &CancellationToken {
        &self.0.stopping
    }
}
