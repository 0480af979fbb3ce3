//! Which status each error of a service is answered with. No `_` in a `match`: a new error forces a decision.

use axum::http::StatusCode;
use trellis_core::{Failure, FailureKind, InvalidJobId};
use trellis_jobs::{BlobError, IntakeError, StoreError};
use trellis_picture::PictureError;

use crate::problem::Problem;
use crate::request_error::RequestError;

/// When to try again after the queue was full: about one job of the slowest backend.
const QUEUE_RETRY_SECONDS: u16 = 15;

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
        // The key is a relative path, but how files are laid out is none of the client's business.
        blob_detail(&error).clone_into(&mut problem.detail);
        problem.cause = Some(match problem.cause {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        });
        with_retry(problem)
    }
}

impl From<IntakeError> for Problem {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::Store(error) => error.into(),
            IntakeError::Blob(error) => error.into(),
            IntakeError::NoPicture | IntakeError::TooManyPictures { .. } | IntakeError::Param(_) => {
                Self::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    error.kind(),
                    &error,
                    error.advice(),
                )
            }
            IntakeError::Picture { ref source, .. } => {
                let mut problem = Self::new(picture_status(source), error.kind(), &error, error.advice());
                problem.detail = format!("{error}: {source}");
                problem
            }
        }
    }
}

impl From<Failure> for Problem {
    /// A registry that cannot serve what is asked.
    fn from(failure: Failure) -> Self {
        let status = match failure.kind {
            FailureKind::Unsupported | FailureKind::BadInput | FailureKind::NoObject => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            FailureKind::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
            FailureKind::TimeLimit
            | FailureKind::WorkerLost
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

impl From<InvalidJobId> for Problem {
    fn from(error: InvalidJobId) -> Self {
        RequestError::from(error).into()
    }
}

fn store_status(error: &StoreError) -> StatusCode {
    match error {
        StoreError::NotFound { .. } => StatusCode::NOT_FOUND,
        StoreError::LeaseLost { .. } | StoreError::WrongState { .. } => StatusCode::CONFLICT,
        StoreError::QueueFull { .. } | StoreError::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        StoreError::KeyReused { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        StoreError::Full { .. } => StatusCode::INSUFFICIENT_STORAGE,
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
        BlobError::NotFound { .. } => "the file is listed but is not in the data directory any more",
        BlobError::Full { .. } => "the file cannot be written: the disk is full",
        BlobError::Unavailable { .. } => "the file cannot be written or read",
    }
}

fn picture_status(error: &PictureError) -> StatusCode {
    match error {
        PictureError::UnknownFormat | PictureError::TooLarge { .. } | PictureError::Damaged { .. } => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
    }
}

fn with_retry(problem: Problem) -> Problem {
    match (problem.status, problem.kind) {
        (StatusCode::SERVICE_UNAVAILABLE, "queue_full") => problem.retry_after(QUEUE_RETRY_SECONDS),
        (StatusCode::SERVICE_UNAVAILABLE, _) => problem.retry_after(STORAGE_RETRY_SECONDS),
        _ => problem,
    }
}
