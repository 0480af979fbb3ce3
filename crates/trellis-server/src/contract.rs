//! What several operations have in common in the contract: headers, and the problems they answer with.

#![expect(
    dead_code,
    reason = "these types describe the contract; no value of them is ever made"
)]

use utoipa::{IntoParams, IntoResponses};

use crate::problem::ProblemBody;

/// Headers of a submission.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct SubmitHeaders {
    /// A text of the client's choice that names this request, 1 to 255 visible ASCII characters.
    #[param(
        rename = "Idempotency-Key",
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]+$",
        required = false
    )]
    idempotency_key: String,
    /// `no-cache`: make the result again, although an earlier job asked for the same.
    #[param(rename = "Cache-Control", required = false)]
    cache_control: String,
    /// `wait=N`: answer once the job is finished, after N seconds at most, 600 at the very most (RFC 7240).
    #[param(rename = "Prefer", required = false)]
    prefer: String,
    /// The trace that the job belongs to (W3C Trace Context); one that is not well-formed counts as none.
    #[param(rename = "traceparent", required = false)]
    traceparent: String,
}

/// Headers of a client that follows a job.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct FollowHeaders {
    /// The last event that is known; those after it are sent.
    #[param(rename = "Last-Event-ID", required = false)]
    last_event_id: u64,
}

/// Headers of a client that fetches a file.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct FileHeaders {
    /// One range, such as `bytes=0-1023`.
    #[param(rename = "Range", required = false)]
    range: String,
    /// The `ETag` that the file must have, else 412.
    #[param(rename = "If-Match", required = false)]
    if_match: String,
    /// The `ETag` of what the client has.
    #[param(rename = "If-None-Match", required = false)]
    if_none_match: String,
    /// The `ETag` of what the range is to be a part of.
    #[param(rename = "If-Range", required = false)]
    if_range: String,
}

macro_rules! problems {
    ($($(#[$meta:meta])* $set:ident { $($name:ident = $status:literal: $description:literal),* $(,)? })*) => {
        $(
            $(#[$meta])*
            #[derive(IntoResponses)]
            pub(crate) enum $set {
                $(
                    #[response(status = $status, description = $description, content_type = "application/problem+json")]
                    $name(ProblemBody),
                )*
            }
        )*
    };
}

/// Sets of problems, each with those of every route that needs a key.
macro_rules! with_those_of_keys {
    ($($(#[$meta:meta])* $set:ident { $($problem:tt)* })*) => {
        problems! {
            $(
                $(#[$meta])*
                $set {
                    Unauthorized = 401: "The server has API keys, and the request has none or an unknown one",
                    Forbidden = 403: "The API key lacks the scope for this, or a page of another site sent the request",
                    TooMany = 429: "Too many requests with this key, too many of its jobs waiting, or too many unknown keys from this address; `Retry-After` says when to try again",
                    $($problem)*
                }
            )*
        }
    };
}

with_those_of_keys! {
    /// Of `POST /v1/jobs`.
    SubmitProblems {
        BadRequest = 400: "The body or a header is malformed",
        TooLarge = 413: "The body is too large",
        MediaType = 415: "The body is neither a form nor JSON",
        Invalid = 422: "A picture, a parameter, the webhook or the idempotency key cannot be used",
        Internal = 500: "A defect of the server",
        Unavailable = 503: "The queue is full, or the storage does not answer; `Retry-After` says when to try again",
        Full = 507: "The disk is full, or the jobs of this key keep as much as they may",
    }
    /// Of lists.
    QueryProblems {
        BadRequest = 400: "The query is invalid",
        Internal = 500: "A defect of the server",
        Unavailable = 503: "The storage does not answer",
    }
    /// Of looking at one job.
    JobProblems {
        BadRequest = 400: "The path or a header is malformed",
        NotFound = 404: "There is no such job, or nothing of that name in it",
        Condition = 412: "`If-Match` does not hold",
        Internal = 500: "A defect of the server",
        Unavailable = 503: "The storage does not answer",
    }
    /// Of ending one job.
    ChangeProblems {
        BadRequest = 400: "The path is malformed",
        NotFound = 404: "There is no such job",
        Condition = 412: "`If-Match` or `If-None-Match` does not hold",
        Internal = 500: "A defect of the server",
        Unavailable = 503: "The storage does not answer",
        Full = 507: "The disk is full",
    }
    /// Of renaming a job and of giving it a thumbnail.
    EditProblems {
        BadRequest = 400: "The path or the body is malformed",
        NotFound = 404: "There is no such job",
        TooLarge = 413: "The body is too large",
        MediaType = 415: "The body is not of a type accepted here",
        Invalid = 422: "The body cannot be used",
        Internal = 500: "A defect of the server",
        Unavailable = 503: "The storage does not answer; `Retry-After` says when to try again",
        Full = 507: "The disk is full",
    }
    /// Of exporting a job.
    ExportProblems {
        BadRequest = 400: "The path, the body or a header is malformed",
        NotFound = 404: "There is no such job",
        TooLarge = 413: "The body is too large",
        MediaType = 415: "The body is not JSON",
        Conflict = 409: "This server cannot decode what was sampled, or the `Idempotency-Key` was used for another request",
        Invalid = 422: "The job has not succeeded, has no GLB or nothing sampled is kept, or what was asked for cannot be made from it",
        Internal = 500: "A defect of the server",
        Unavailable = 503: "The queue is full, or the storage does not answer; `Retry-After` says when to try again",
        Full = 507: "The disk is full",
    }
    /// Of what asks no storage.
    AccessProblems {}
    /// Of commanding a worker.
    WorkerProblems {
        BadRequest = 400: "The path is malformed",
        NotFound = 404: "There is no such worker",
        Internal = 500: "A defect of the server",
    }
    /// Of files.
    FileProblems {
        BadRequest = 400: "The path is malformed",
        NotFound = 404: "There is no such job, or no such file in it",
        Condition = 412: "`If-Match` does not hold",
        Range = 416: "The range lies outside the file",
        Internal = 500: "A defect of the server",
        Unavailable = 503: "The storage does not answer",
    }
}

problems! {
    /// Of asking who is signed in.
    SessionProblems {
        Internal = 500: "A defect of the server",
        Unavailable = 503: "The storage does not answer",
    }
    /// Of signing in.
    SignInProblems {
        BadRequest = 400: "The body is malformed",
        Unauthorized = 401: "The key is unknown",
        CrossOrigin = 403: "A page of another site sent the request",
        TooLarge = 413: "The body is too large",
        MediaType = 415: "The body is not JSON",
        Invalid = 422: "The body has another form",
        TooMany = 429: "Too many unknown keys came from this address; `Retry-After` says when to try again",
        Internal = 500: "A defect of the server",
        Unavailable = 503: "The storage does not answer",
        Full = 507: "The disk is full",
    }
    /// Of signing out.
    SignOutProblems {
        CrossOrigin = 403: "A page of another site sent the request",
    }
}
