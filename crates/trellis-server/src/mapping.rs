//! Which status each error of a service is answered with. No `_` in a `match`: a new error forces a decision.

use axum::http::StatusCode;
use trellis_core::{Explain as _, Failure, FailureKind};
use trellis_jobs::{BlobError, ExportError, StoreError, SubmitError, ThumbnailError};
use trellis_picture::PictureError;
use trellis_webhook::WebhookError;

use crate::problem::Problem;

/// When to try again after the queue was full: about one job of the slowest backend.
const QUEUE_RETRY_SECONDS: u16 = 15;

/// When to try again after there was no room: about as long as an upload takes.
const BUSY_RETRY_SECONDS: u16 = 10;

/// When to try again after the disk or the database did not work.
const STORAGE_RETRY_SECONDS: u16 = 5;

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let status = store_status(&error);
        let problem = Self::new(status, error.kind(), &error, error.advice());
        with_retry(problem)
    }
}

impl From<BlobError> for Problem {
    fn from(error: BlobError) -> Self {
        let mut problem = Self::new(blob_status(&error), error.kind(), &error, error.advice());
        // The key is a relative path, but clients need not know how files are laid out.
        blob_detail(&error).clone_into(&mut problem.detail);
        problem.cause = Some(match problem.cause {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        });
        with_retry(problem)
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Store(error) => error.into(),
            SubmitError::Blob(error) => error.into(),
            SubmitError::Unsupported(failure) => Self::from(*failure),
            SubmitError::Busy => {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                with_retry(Self::new(status, error.kind(), &error, error.advice()))
            }
            SubmitError::NoPicture
            | SubmitError::TooManyPictures { .. }
            | SubmitError::TwoMeshes
            | SubmitError::Param(_) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                error.kind(),
                &error,
                error.advice().to_owned(),
            ),
            SubmitError::Mesh { ref source } => {
                let fix = error.advice().to_owned();
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                let mut problem = Self::new(status, error.kind(), &error, fix);
                problem.detail = format!("{error}: {source}");
                problem
            }
            SubmitError::Picture { ref source, .. } => {
                let fix = error.advice().to_owned();
                let mut problem = Self::new(picture_status(source), error.kind(), &error, fix);
                problem.detail = format!("{error}: {source}");
                problem
            }
        }
    }
}

impl From<ThumbnailError> for Problem {
    fn from(error: ThumbnailError) -> Self {
        match error {
            ThumbnailError::Submit(error) => error.into(),
            ThumbnailError::NotOne => {
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                Self::new(status, error.kind(), &error, error.advice())
            }
        }
    }
}

impl From<ExportError> for Problem {
    fn from(error: ExportError) -> Self {
        let status = match error {
            ExportError::Submit(error) => return error.into(),
            ExportError::NotSucceeded { .. }
            | ExportError::NoGlb { .. }
            | ExportError::NoLatents { .. }
            | ExportError::NoColours { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            ExportError::OtherDecoder { .. } => StatusCode::CONFLICT,
            ExportError::Damaged { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.kind(), &error, error.advice())
    }
}

impl From<Failure> for Problem {
    /// A registry that cannot serve what is asked.
    fn from(failure: Failure) -> Self {
        let status = match failure.kind {
            FailureKind::Unsupported
            | FailureKind::BadInput
            | FailureKind::NoObject
            | FailureKind::NoClearObject
            | FailureKind::ImplausibleResult => StatusCode::UNPROCESSABLE_ENTITY,
            FailureKind::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
            FailureKind::TimeLimit
            | FailureKind::WorkerLost
            | FailureKind::NoServer
            | FailureKind::CheckpointMissing
            | FailureKind::CheckpointCorrupt
            | FailureKind::GpuOutOfMemory
            | FailureKind::NoKernelImage
            | FailureKind::ExtensionAbi
            | FailureKind::ExtensionMissing
            | FailureKind::DriverMissing
            | FailureKind::DriverTooOld
            | FailureKind::OfflineDownloadAttempt => StatusCode::SERVICE_UNAVAILABLE,
            FailureKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let fix = failure.fix.clone();
        with_retry(Self::new(status, failure.kind.name(), &failure, fix))
    }
}

impl From<WebhookError> for Problem {
    fn from(error: WebhookError) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            error.kind(),
            &error,
            error.advice(),
        )
    }
}

fn store_status(error: &StoreError) -> StatusCode {
    match error {
        StoreError::NotFound { .. } => StatusCode::NOT_FOUND,
        StoreError::LeaseLost { .. } | StoreError::WrongState { .. } => StatusCode::CONFLICT,
        StoreError::QueueFull { .. } | StoreError::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        StoreError::OwnQueueFull { .. } => StatusCode::TOO_MANY_REQUESTS,
        StoreError::KeyReused { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        StoreError::OwnStorageFull { .. } | StoreError::NoRoom { .. } | StoreError::Full { .. } => {
            StatusCode::INSUFFICIENT_STORAGE
        }
        StoreError::Corrupt { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn blob_status(error: &BlobError) -> StatusCode {
    match error {
        // The row named it, so its absence is a fault of the server.
        BlobError::NotFound { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        BlobError::Full { .. } => StatusCode::INSUFFICIENT_STORAGE,
        BlobError::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn blob_detail(error: &BlobError) -> &'static str {
    match error {
        BlobError::NotFound { .. } => "the file is listed, but is missing from the data directory",
        BlobError::Full { .. } => "the file cannot be written: the disk is full",
        BlobError::Unavailable { .. } => "the file cannot be written or read",
    }
}

fn picture_status(error: &PictureError) -> StatusCode {
    match error {
        PictureError::NotRead { .. }
        | PictureError::UnreadForm { .. }
        | PictureError::TooLarge { .. }
        | PictureError::CutShort
        | PictureError::Damaged { .. } => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

fn with_retry(problem: Problem) -> Problem {
    match (problem.status, problem.kind) {
        (StatusCode::SERVICE_UNAVAILABLE, "queue_full") | (StatusCode::TOO_MANY_REQUESTS, _) => {
            problem.retry_after(QUEUE_RETRY_SECONDS)
        }
        (StatusCode::SERVICE_UNAVAILABLE, "server_busy") => problem.retry_after(BUSY_RETRY_SECONDS),
        (StatusCode::SERVICE_UNAVAILABLE, _) | (StatusCode::INSUFFICIENT_STORAGE, "storage_full") => {
            problem.retry_after(STORAGE_RETRY_SECONDS)
        }
        _ => problem,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use trellis_core::{InvalidJobId, JobId, JobState, MeshFormat, ParamError, PictureFormat};
    use trellis_jobs::BlobKey;
    use trellis_mesh::MeshError;
    use trellis_picture::{ForeignFile, SizeLimit};

    use super::*;
    use crate::data_uri::DataUriError;
    use crate::request_error::RequestError;
    use crate::scopes::Scope;

    const DOCS: &str = include_str!("../../../docs/http.md");

    fn id() -> JobId {
        "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap()
    }

    fn system() -> Box<dyn std::error::Error + Send + Sync> {
        "open `/var/lib/secret`: permission denied".into()
    }

    fn of_requests() -> Vec<Problem> {
        let text = String::new;
        let errors = vec![
            RequestError::RouteNotFound { path: text() },
            RequestError::MethodNotAllowed {
                method: text(),
                path: text(),
            },
            RequestError::ApiKeyMissing,
            RequestError::ApiKeyUnknown,
            RequestError::TooManyWrongKeys { after_seconds: 5 },
            RequestError::ScopeMissing {
                key: text(),
                scopes: &[Scope::Submit],
            },
            RequestError::TooManyRequests {
                key: text(),
                after_seconds: 5,
            },
            RequestError::TooManyAtOnce {
                key: text(),
                limit: 5,
            },
            RequestError::TooManyConnections,
            RequestError::TlsNeeded,
            RequestError::TargetTooLong { limit_bytes: 1 },
            RequestError::HeadersTooLarge { limit_bytes: 1 },
            RequestError::PreconditionFailed { header: "x" },
            RequestError::HostMissing,
            RequestError::HostNotAllowed { host: text() },
            RequestError::CrossOrigin,
            RequestError::SessionElsewhere,
            RequestError::ThumbnailNotFound { job: id() },
            RequestError::NotThumbnail { found: String::new() },
            RequestError::NotForm { found: String::new() },
            RequestError::NotJson { found: String::new() },
            RequestError::InvalidPath { reason: text() },
            RequestError::InvalidJobId(InvalidJobId { text: text() }),
            RequestError::InvalidQuery { reason: text() },
            RequestError::InvalidHeader {
                name: "x",
                expected: "y",
            },
            RequestError::UnsupportedMediaType { found: text() },
            RequestError::BodyTooLarge { limit_bytes: 1 },
            RequestError::BoundaryMissing,
            RequestError::UnsupportedEncoding { found: text() },
            RequestError::PictureIsText { text: text() },
            RequestError::UnknownFormat {
                name: text(),
                made: vec![trellis_core::Format::Glb],
            },
            RequestError::BodyTooSlow,
            RequestError::BodyUnreadable,
            RequestError::JsonTooLong {
                place: "x",
                limit_bytes: 1,
            },
            RequestError::MalformedJson {
                place: "x",
                reason: text(),
            },
            RequestError::InvalidJson {
                place: "x",
                reason: text(),
            },
            RequestError::InvalidPart {
                name: text(),
                problem: text(),
            },
            RequestError::InvalidBackend("x".parse::<trellis_core::AskedBackend>().unwrap_err()),
            RequestError::InvalidDataUri {
                index: 0,
                source: DataUriError::Scheme,
            },
            RequestError::InvalidMeshUri {
                source: DataUriError::Scheme,
            },
            RequestError::ArtifactNotFound {
                job: id(),
                name: text(),
            },
            RequestError::StatementNotFound { job: id() },
            RequestError::InputNotFound { job: id(), index: 0 },
            RequestError::WorkerNotFound { name: text() },
            RequestError::RangeNotSatisfiable { size_bytes: 1 },
            RequestError::Internal,
        ];
        errors.into_iter().map(Problem::from).collect()
    }

    fn of_edits_and_exports() -> Vec<Problem> {
        vec![
            ThumbnailError::NotOne.into(),
            ExportError::NotSucceeded {
                id: id(),
                state: JobState::Failed,
            }
            .into(),
            ExportError::NoGlb { id: id() }.into(),
            ExportError::NoLatents { id: id() }.into(),
            ExportError::NoColours { id: id() }.into(),
            ExportError::OtherDecoder { id: id() }.into(),
            ExportError::Damaged { id: id() }.into(),
        ]
    }

    fn of_intakes() -> Vec<SubmitError> {
        let picture = |source| SubmitError::Picture { index: 0, source };
        let mesh = |source| SubmitError::Mesh { source };
        let damaged = || trellis_picture::probe(b"\x89PNG\r\n\x1a\n", 1).unwrap_err();
        vec![
            SubmitError::NoPicture,
            SubmitError::TooManyPictures { max_images: 1 },
            SubmitError::Busy,
            SubmitError::Param(ParamError {
                field: "seed",
                value: String::new(),
                allowed: String::new(),
            }),
            picture(PictureError::NotRead {
                file: ForeignFile::Unknown,
            }),
            picture(PictureError::UnreadForm {
                format: PictureFormat::Tiff,
                source: system(),
            }),
            picture(PictureError::TooLarge {
                width: 1,
                height: 1,
                limit: SizeLimit::Pixels(0),
            }),
            picture(PictureError::TooLarge {
                width: 1,
                height: 1,
                limit: SizeLimit::Side(0),
            }),
            picture(damaged()),
            SubmitError::TwoMeshes,
            mesh(MeshError::NotRead {
                sentence: "",
                fix: "export the mesh as GLB",
            }),
            mesh(MeshError::UnreadForm {
                format: MeshFormat::Glb,
                what: String::new(),
            }),
            mesh(MeshError::TooLarge {
                what: "triangles",
                limit: 1,
            }),
            mesh(MeshError::Damaged {
                format: MeshFormat::Glb,
                why: "",
            }),
            mesh(MeshError::Empty { why: "" }),
        ]
    }

    fn of_services() -> Vec<Problem> {
        let key = || BlobKey::input(id(), 0);
        let stores = vec![
            StoreError::NotFound { id: id() },
            StoreError::LeaseLost { id: id(), attempt: 1 },
            StoreError::WrongState {
                id: id(),
                state: JobState::Failed,
            },
            StoreError::QueueFull { queued: 1, limit: 1 },
            StoreError::OwnQueueFull { queued: 1, limit: 1 },
            StoreError::OwnStorageFull {
                kept_bytes: 1,
                limit_bytes: 1,
            },
            StoreError::KeyReused { key: String::new() },
            StoreError::NoRoom {
                free_bytes: 2,
                kept_bytes: 3,
            },
            StoreError::Full { source: system() },
            StoreError::Corrupt { source: system() },
            StoreError::Unavailable { source: system() },
        ];
        let blobs = vec![
            BlobError::NotFound { key: key() },
            BlobError::Full {
                key: key(),
                source: system(),
            },
            BlobError::Unavailable {
                key: key(),
                source: system(),
            },
        ];
        let text = String::new;
        let webhooks = vec![
            WebhookError::Off,
            WebhookError::TooLong,
            WebhookError::NotAUrl { reason: text() },
            WebhookError::Scheme { scheme: text() },
            WebhookError::Userinfo,
            WebhookError::Fragment,
            WebhookError::Port,
            WebhookError::NotEncrypted,
            WebhookError::NotPublic { host: text() },
            WebhookError::NoEvents,
            WebhookError::NoUrl,
        ];
        let failures = FailureKind::ALL.map(|kind| Failure::new(kind, String::new()));
        let mut problems: Vec<Problem> = stores.into_iter().map(Problem::from).collect();
        problems.extend(blobs.into_iter().map(Problem::from));
        problems.extend(of_intakes().into_iter().map(Problem::from));
        problems.extend(webhooks.into_iter().map(Problem::from));
        // Only these are answered to a request; the others end a job and are told by it.
        let answered = [
            FailureKind::Unsupported,
            FailureKind::NoObject,
            FailureKind::NoClearObject,
            FailureKind::BadInput,
        ];
        problems.extend(
            failures
                .into_iter()
                .filter(|failure| answered.contains(&failure.kind))
                .map(Problem::from),
        );
        problems
    }

    fn all() -> Vec<Problem> {
        let mut problems = of_requests();
        problems.extend(of_services());
        problems.extend(of_edits_and_exports());
        problems
    }

    #[test]
    fn the_page_lists_every_problem() {
        let row = |problem: &Problem| {
            format!(
                "| {} | `{}` | {} |\n",
                problem.status.as_u16(),
                problem.kind,
                problem.fix
            )
        };
        // These are said to workers, never to clients.
        let told = all()
            .into_iter()
            .filter(|problem| !["lease_lost", "wrong_state"].contains(&problem.kind));
        let table: BTreeSet<String> = told.map(|problem| row(&problem)).collect();
        let table: String = table.into_iter().collect();
        assert!(
            DOCS.ends_with(&table),
            "docs/http.md ends with another table than\n{table}"
        );
    }

    #[test]
    fn what_the_system_said_is_for_the_log_only() {
        for problem in all() {
            let told = serde_json::to_string(&problem.body("r")).unwrap();
            assert!(!told.contains("/var/lib/secret"), "{told}");
        }
        let full = Problem::from(StoreError::Full { source: system() });
        assert_eq!(full.cause.unwrap(), system().to_string());
    }

    #[test]
    fn an_answer_of_429_or_503_or_of_a_full_disk_says_when_to_try_again() {
        for problem in all() {
            use axum::response::IntoResponse as _;
            let statuses = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS];
            let passes = statuses.contains(&problem.status) || problem.kind == "storage_full";
            let answer = problem.into_response();
            assert_eq!(answer.headers().contains_key("retry-after"), passes);
        }
    }
}
