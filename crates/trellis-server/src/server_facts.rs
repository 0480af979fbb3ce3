//! `/v1/version`, `/v1/health/live` and `/v1/health/ready`: what this server is and whether it can work.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tracing::warn;
use trellis_backend::{Backend, Capabilities, Readiness};
use trellis_core::{Defaults, Failure, Format, Model, Quality, Texturing};

use crate::AppState;

/// Whether a backend can work now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BackendStatus {
    /// It can.
    Ready,
    /// It will, soon.
    Starting,
    /// It cannot until somebody acts.
    Unavailable,
}

/// A backend and whether it can work now.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct BackendHealth {
    /// Its name.
    name: &'static str,
    /// Whether it can work now.
    status: BackendStatus,
    /// Why not, where it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What to do about it, where somebody must act.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

/// A backend, what it can do and whether it can do it now.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct BackendFacts {
    #[serde(flatten)]
    health: BackendHealth,
    /// What a person should know of its results.
    description: &'static str,
    /// The model that it runs; a preview runs none.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<Model>,
    /// Whether its results only give an idea of what TRELLIS would make.
    preview: bool,
    /// The formats that it makes.
    formats: Vec<Format>,
    /// Whether it uses all views of an object, not only the first.
    multiview: bool,
    /// What can be asked of jobs that texture a given mesh; absent: it textures none. An `api` server says so of TRELLIS.2
    /// whatever the others run.
    #[serde(skip_serializing_if = "Option::is_none")]
    texturing: Option<Texturing>,
    /// How many jobs it works on at a time.
    slots: usize,
    /// Which variant of its pipeline it takes, where it has several, as the provenance of results names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<String>,
}

/// What this server is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Version {
    /// The program.
    name: &'static str,
    /// Its version.
    release: String,
    /// The version of this API.
    api: &'static str,
    /// What makes assets, the best first.
    backends: Vec<BackendFacts>,
    /// The models that run here.
    models: Vec<Model>,
    /// The model of jobs that name none.
    default_model: Model,
    /// Every format that one of them makes.
    formats: Vec<Format>,
    /// What is taken.
    limits: Limits,
    /// Parameters as they are taken here where a submission leaves them open and the contract does not say.
    defaults: TakenHere,
}

/// What this server decides where a submission leaves it open.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct TakenHere {
    /// How near to TRELLIS's own code.
    quality: Quality,
}

/// What is taken.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Limits {
    /// The largest body of a submission.
    body_bytes: usize,
    /// Pictures of one job.
    images_per_job: usize,
    /// Pixels of one picture.
    pixels: u64,
    /// Jobs that may wait at a time.
    queued_jobs: u64,
    /// How long one attempt of a job may take.
    job_seconds: u64,
}

/// Whether the server is alive.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Live {
    /// `live`.
    status: &'static str,
}

/// Whether the server can take jobs and work on them.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Ready {
    /// `ready` or `not_ready`.
    status: &'static str,
    /// `health.response`, for clients of NVIDIA's NIM.
    object: &'static str,
    /// Why, one sentence.
    message: String,
    /// What makes assets, the best first.
    backends: Vec<BackendHealth>,
}

/// What the server is
#[utoipa::path(
    get,
    path = "/version",
    tag = "server",
    operation_id = "version",
    security(()),
    responses((status = 200, description = "Version, backends, formats, limits", body = Version)),
)]
pub(crate) async fn version(State(state): State<AppState>) -> Json<Version> {
    let backends: Vec<BackendFacts> = state
        .registry
        .all()
        .iter()
        .map(|backend| facts(backend.as_ref()))
        .collect();
    let made = |format: &Format| backends.iter().any(|backend| backend.formats.contains(format));
    let limits = state.jobs.limits;
    let Defaults { quality } = state.jobs.defaults;
    Json(Version {
        name: "trellis-server",
        release: state.version.clone(),
        api: "1",
        models: state
            .registry
            .all()
            .iter()
            .filter_map(|backend| backend.model())
            .collect(),
        default_model: state.registry.default_model(),
        formats: Format::ALL.into_iter().filter(made).collect(),
        backends,
        limits: Limits {
            body_bytes: state.limits.body_bytes,
            images_per_job: limits.max_images,
            pixels: limits.max_pixels,
            queued_jobs: limits.queue_limit,
            job_seconds: limits.attempt_time.as_secs(),
        },
        defaults: TakenHere { quality },
    })
}

/// Whether the process answers
#[utoipa::path(
    get,
    path = "/health/live",
    tag = "server",
    operation_id = "live",
    security(()),
    responses((status = 200, description = "It does", body = Live)),
)]
pub(crate) async fn live() -> Json<Live> {
    Json(Live { status: "live" })
}

/// Whether jobs are taken and worked on
///
/// Ready means: the job database answers and is sound, the disk has room to spare, and at least one backend can work.
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "server",
    operation_id = "ready",
    security(()),
    responses(
        (status = 200, description = "They are", body = Ready),
        (status = 503, description = "They are not; the body says why", body = Ready),
    ),
)]
pub(crate) async fn ready(State(state): State<AppState>) -> Response {
    let backends: Vec<BackendHealth> = state
        .registry
        .all()
        .iter()
        .map(|backend| health(backend.as_ref()))
        .collect();
    let able = backends
        .iter()
        .find(|backend| backend.status == BackendStatus::Ready);
    let accepts = match state.jobs.stats().await {
        Ok(_) => state.jobs.accepts(0).await,
        Err(error) => Err(error),
    };
    let message = match (accepts, able) {
        (Err(error), _) => {
            warn!(error = &error as &dyn std::error::Error, "no job can be accepted");
            Err(format!("{error}; {}", error.advice()))
        }
        (Ok(()), None) => Err("no backend can work now".to_owned()),
        (Ok(()), Some(_)) if state.stopping().is_cancelled() => Err("the server is stopping".to_owned()),
        (Ok(()), Some(backend)) => Ok(format!("`{}` can work", backend.name)),
    };
    let (code, status) = match message {
        Ok(_) => (StatusCode::OK, "ready"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "not_ready"),
    };
    let message = message.unwrap_or_else(|reason| reason);
    (
        code,
        Json(Ready {
            status,
            object: "health.response",
            message,
            backends,
        }),
    )
        .into_response()
}

fn facts(backend: &dyn Backend) -> BackendFacts {
    let Capabilities {
        name: _,
        description,
        preview,
        formats,
        multiview,
        slots,
    } = backend.capabilities();
    BackendFacts {
        health: health(backend),
        description,
        model: backend.model(),
        preview: *preview,
        formats: formats.clone(),
        multiview: *multiview,
        texturing: backend.textures_meshes().is_ok().then(Texturing::of_a_mesh),
        slots: *slots,
        variant: backend.variant().map(str::to_owned),
    }
}

pub(crate) fn health(backend: &dyn Backend) -> BackendHealth {
    let (status, reason, fix) = match backend.readiness() {
        Readiness::Ready => (BackendStatus::Ready, None, None),
        Readiness::Starting { reason } => (BackendStatus::Starting, Some(reason), None),
        Readiness::Unavailable {
            failure: Failure { message, fix, .. },
        } => (BackendStatus::Unavailable, Some(message), Some(fix)),
        Readiness::Absent { reason } => (
            BackendStatus::Unavailable,
            Some(reason),
            Some(Readiness::ADVICE_WHERE_ABSENT.to_owned()),
        ),
    };
    BackendHealth {
        name: backend.capabilities().name,
        status,
        reason,
        fix,
    }
}
