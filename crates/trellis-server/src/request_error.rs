//! What can be wrong with a request before any service is asked.

use axum::http::StatusCode;
use trellis_core::{Format, InvalidJobId, JobId, UnknownName};

use crate::data_uri::DataUriError;
use crate::scopes::Scope;

/// Why a request is refused. Its text goes to the client, so no variant holds a path of the server.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum RequestError {
    /// No such route.
    #[error("there is nothing at `{path}`")]
    RouteNotFound { path: String },
    /// The route takes other methods.
    #[error("`{method}` is not possible at `{path}`")]
    MethodNotAllowed { method: String, path: String },
    /// Keys are set and none was sent.
    #[error("the request has no API key")]
    ApiKeyMissing,
    /// Something else than one of the keys was sent.
    #[error("unknown API key")]
    ApiKeyUnknown,
    /// So many wrong keys came from its address that none is looked at for now.
    #[error("too many wrong API keys came from this address")]
    TooManyWrongKeys { after_seconds: u16 },
    /// The key may not do that.
    #[error("the API key `{key}` lacks the scope {}", either(scopes))]
    ScopeMissing { key: String, scopes: &'static [Scope] },
    /// More requests than the key may make.
    #[error("the API key `{key}` has made as many requests a minute as it may")]
    TooManyRequests { key: String, after_seconds: u16 },
    /// A key that has as many requests at work as it may.
    #[error("the API key `{key}` has {limit} requests at work, as many as it may")]
    TooManyAtOnce { key: String, limit: usize },
    /// Every connection is at work.
    #[error("the server has as many connections as it takes, and all are at work")]
    TooManyConnections,
    /// Plain HTTP where TLS is spoken.
    #[error("this server speaks TLS at this port, and the request came without")]
    TlsNeeded,
    /// A path and query that are too long.
    #[error("the target of the request is longer than {limit_bytes} bytes")]
    TargetTooLong { limit_bytes: usize },
    /// Headers that are too long together.
    #[error("the headers of the request are longer than {limit_bytes} bytes together")]
    HeadersTooLarge { limit_bytes: usize },
    /// `If-Match` or `If-None-Match` forbid it.
    #[error("the condition `{header}` of the request does not hold")]
    PreconditionFailed { header: &'static str },
    /// No `Host` header, more than one, or one that cannot be a host.
    #[error("the request has no `Host` header, more than one, or one that is not a host")]
    HostMissing,
    /// Addressed to a name that is not this server's: perhaps a page of another site that took over its name.
    #[error("this server does not answer to the host `{host}`")]
    HostNotAllowed { host: String },
    /// A page of another site tries to change something.
    #[error("a page of another site sent this request")]
    CrossOrigin,
    /// A page of another site tries to use or change the session of the server's own.
    #[error("a page of another site sent this request with the session of this server's page")]
    SessionElsewhere,
    /// A path that is not UTF-8 or has the wrong form.
    #[error("invalid path: {reason}")]
    InvalidPath { reason: String },
    /// An id of the wrong form.
    #[error(transparent)]
    InvalidJobId(#[from] InvalidJobId),
    /// An invalid query.
    #[error("invalid query: {reason}")]
    InvalidQuery { reason: String },
    /// An invalid header.
    #[error("invalid header `{name}`: expected {expected}")]
    InvalidHeader {
        name: &'static str,
        expected: &'static str,
    },
    /// Neither multipart nor JSON.
    #[error("{}", media_type(found))]
    UnsupportedMediaType { found: String },
    /// Something else where only a form is taken.
    #[error("{}", media_type(found))]
    NotForm { found: String },
    /// Something else where only JSON is taken.
    #[error("{}", media_type(found))]
    NotJson { found: String },
    /// Something else where only a thumbnail is taken.
    #[error("{}", media_type(found))]
    NotThumbnail { found: String },
    /// A form whose header does not say what stands between its parts.
    #[error("the header `Content-Type: multipart/form-data` has no boundary")]
    BoundaryMissing,
    /// A compressed body.
    #[error("the body has `Content-Encoding: {found}`, and this server does not decompress bodies")]
    UnsupportedEncoding { found: String },
    /// A body beyond the limit, announced or found.
    #[error("the body is larger than the limit of {limit_bytes} bytes")]
    BodyTooLarge { limit_bytes: usize },
    /// The body came more slowly than allowed.
    #[error("the body came too slowly")]
    BodyTooSlow,
    /// The client stopped sending, or the body's framing is wrong.
    #[error("the body could not be read completely")]
    BodyUnreadable,
    /// Not JSON.
    #[error("{place} is not JSON: {reason}")]
    MalformedJson { place: &'static str, reason: String },
    /// More JSON than a submission can need, pictures apart.
    #[error("{place} has more than {limit_bytes} bytes of JSON, pictures not counted")]
    JsonTooLong { place: &'static str, limit_bytes: usize },
    /// JSON of another form than expected.
    #[error("{place} does not have the expected form: {reason}")]
    InvalidJson { place: &'static str, reason: String },
    /// A part of a form that has no meaning here, or comes twice.
    #[error("the part `{name}` of the form is {problem}")]
    InvalidPart { name: String, problem: String },
    /// A file's name where the file should be: `curl -F image=photo.png`.
    #[error("the part `image` holds the text `{text}`, not a picture")]
    PictureIsText { text: String },
    /// A format that none of the backends here makes.
    #[error("unknown format `{name}`; this server makes {}", listed(made))]
    UnknownFormat { name: String, made: Vec<Format> },
    /// A backend's name that is not known.
    #[error(transparent)]
    InvalidBackend(#[from] UnknownName),
    /// A picture in a JSON body that is not a data URI.
    #[error("`images[{index}]` is not a data URI: {source}")]
    InvalidDataUri { index: usize, source: DataUriError },
    /// The mesh in a JSON body that is not a data URI.
    #[error("`mesh` is not a data URI: {source}")]
    InvalidMeshUri { source: DataUriError },
    /// The job has no such file.
    #[error("the job `{job}` has no artifact `{name}`")]
    ArtifactNotFound { job: JobId, name: String },
    /// The job has no result.
    #[error("the job `{job}` has no statement")]
    StatementNotFound { job: JobId },
    /// The job has no such picture.
    #[error("the job `{job}` has no input {index}")]
    InputNotFound { job: JobId, index: u32 },
    /// The job was given no thumbnail.
    #[error("the job `{job}` has no thumbnail")]
    ThumbnailNotFound { job: JobId },
    /// No backend has such a worker.
    #[error("there is no worker `{name}`")]
    WorkerNotFound { name: String },
    /// A range outside the file.
    #[error("the range is outside the file, which has {size_bytes} bytes")]
    RangeNotSatisfiable { size_bytes: u64 },
    /// A defect of ours: a handler panicked.
    #[error("internal error")]
    Internal,
}

impl RequestError {
    /// The stable name in `type`, logs, docs and tests.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::RouteNotFound { .. } => "route_not_found",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::ApiKeyMissing => "api_key_missing",
            Self::ApiKeyUnknown => "api_key_unknown",
            Self::TooManyWrongKeys { .. } => "too_many_wrong_keys",
            Self::ScopeMissing { .. } => "scope_missing",
            Self::TooManyRequests { .. } => "too_many_requests",
            Self::TooManyAtOnce { .. } => "too_many_at_once",
            Self::TooManyConnections => "too_many_connections",
            Self::TlsNeeded => "tls_needed",
            Self::TargetTooLong { .. } => "target_too_long",
            Self::HeadersTooLarge { .. } => "headers_too_large",
            Self::PreconditionFailed { .. } => "precondition_failed",
            Self::HostMissing => "host_missing",
            Self::HostNotAllowed { .. } => "host_not_allowed",
            Self::CrossOrigin => "cross_origin",
            Self::SessionElsewhere => "session_elsewhere",
            Self::InvalidPath { .. } => "invalid_path",
            Self::InvalidJobId(_) => "invalid_job_id",
            Self::InvalidQuery { .. } => "invalid_query",
            Self::InvalidHeader { .. } => "invalid_header",
            Self::NotForm { .. }
            | Self::UnsupportedMediaType { .. }
            | Self::NotJson { .. }
            | Self::NotThumbnail { .. } => "unsupported_media_type",
            Self::BoundaryMissing => "boundary_missing",
            Self::UnsupportedEncoding { .. } => "unsupported_encoding",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::BodyTooSlow => "body_too_slow",
            Self::BodyUnreadable => "body_unreadable",
            Self::MalformedJson { .. } => "malformed_json",
            Self::JsonTooLong { .. } => "json_too_long",
            Self::InvalidJson { .. } => "invalid_json",
            Self::InvalidPart { .. } => "invalid_part",
            Self::PictureIsText { .. } => "picture_is_text",
            Self::UnknownFormat { .. } => "unknown_format",
            Self::InvalidBackend(_) => "invalid_backend",
            Self::InvalidDataUri { .. } | Self::InvalidMeshUri { .. } => "invalid_data_uri",
            Self::ArtifactNotFound { .. } => "artifact_not_found",
            Self::StatementNotFound { .. } => "statement_not_found",
            Self::InputNotFound { .. } => "input_not_found",
            Self::ThumbnailNotFound { .. } => "thumbnail_not_found",
            Self::WorkerNotFound { .. } => "worker_not_found",
            Self::RangeNotSatisfiable { .. } => "range_not_satisfiable",
            Self::Internal => "internal",
        }
    }

    /// What to do about it, one sentence.
    pub(crate) fn advice(&self) -> &'static str {
        match self {
            Self::RouteNotFound { .. } => "see `/docs` for what there is",
            Self::MethodNotAllowed { .. } => "use a method listed in this answer's `Allow` header",
            Self::ApiKeyMissing => {
                "send the header `Authorization: Bearer KEY`; ask the person who runs the server for a key"
            }
            Self::ApiKeyUnknown => {
                "send `Authorization: Bearer KEY` with a key that is in the server's `auth.keys_file`"
            }
            Self::TooManyWrongKeys { .. } => {
                "wait as many seconds as `Retry-After` says, then send a valid key; keys that have worked from this address still work"
            }
            Self::ScopeMissing { .. } => {
                "use another key, or ask the person who runs the server to add the scope to this key's `scopes`"
            }
            Self::TooManyRequests { .. } => {
                "wait as many seconds as `Retry-After` says; to watch a job's progress, follow its events instead of polling"
            }
            Self::TooManyAtOnce { .. } => {
                "close some of this key's open requests, such as event streams, or ask the operator to raise `limits.connections`"
            }
            Self::TooManyConnections => "try again later, or raise `limits.connections`",
            Self::TlsNeeded => "use an address that begins with `https://`",
            Self::TargetTooLong { .. } => "send a shorter path or query; see `/docs` for their forms",
            Self::HeadersTooLarge { .. } => "send fewer or shorter headers, cookies among them",
            Self::PreconditionFailed { .. } => {
                "fetch it again for its current `ETag`, or leave the condition out; a job has none, so only `*` matches it"
            }
            Self::HostMissing => "send one `Host` header, as HTTP/1.1 requires",
            Self::HostNotAllowed { .. } => {
                "use the server's address, or add the name to `listen.allowed_hosts`"
            }
            Self::CrossOrigin => "add the page's origin to `listen.allowed_origins`, if you trust it",
            Self::SessionElsewhere => {
                "send an API key as `Authorization: Bearer KEY` instead of the session, which is for the server's own page"
            }
            Self::InvalidPath { .. } => "see `/docs` for the form of this path",
            Self::InvalidJobId(_) => "use the `id` of a job as the server wrote it",
            Self::InvalidQuery { .. } => "see `/docs` for the parameters of this path",
            Self::InvalidHeader { .. } => "correct or remove the header",
            Self::UnsupportedMediaType { .. } => {
                "send a form, as `curl -F image=@photo.png` does, or `application/json` with data URIs"
            }
            Self::NotForm { .. } => "send a form, as `curl -F image=@photo.png` does",
            Self::NotThumbnail { .. } => {
                "send the picture itself, with `Content-Type: image/png`, `image/jpeg` or `image/webp`"
            }
            Self::NotJson { .. } => "send JSON, with `Content-Type: application/json`",
            Self::BoundaryMissing => {
                "let the client write the `Content-Type` header: leave out your own, `-F` of curl adds it with the boundary"
            }
            Self::UnsupportedEncoding { .. } => {
                "send the body as it is, without `Content-Encoding`; pictures are compressed already"
            }
            Self::BodyTooLarge { .. } => "send smaller or fewer pictures; 2048 pixels a side are plenty",
            Self::BodyTooSlow => "use a faster connection, or send smaller or fewer pictures",
            Self::BodyUnreadable => {
                "check the connection and the client's multipart encoding, then try again"
            }
            Self::MalformedJson { .. } | Self::InvalidJson { .. } => {
                "correct the JSON; its schema is in `/openapi.json`"
            }
            Self::JsonTooLong { .. } => {
                "send only what the schema in `/openapi.json` names, each once and without padding"
            }
            Self::InvalidPart { .. } => {
                "send `image` once or more, `mesh`, `params`, `backend`, `priority` and `webhook` at most once; parameters go into `params` as JSON: `-F 'params={\"seed\": 7}'`"
            }
            Self::PictureIsText { .. } => {
                "to send a file with curl, put `@` before its name: `-F image=@photo.png`"
            }
            Self::UnknownFormat { .. } => "ask for formats that `GET /v1/version` lists",
            Self::InvalidBackend(_) => "use `auto` or a backend that `GET /v1/version` lists",
            Self::InvalidDataUri { .. } => {
                "write each picture as `data:image/png;base64,` followed by its base64"
            }
            Self::InvalidMeshUri { .. } => {
                "write the mesh as `data:model/gltf-binary;base64,` followed by its base64"
            }
            Self::ArtifactNotFound { .. } => "use a name from the job's `artifacts`",
            Self::StatementNotFound { .. } => {
                "ask again once the job has succeeded; the server writes statements only with `provenance.statement` or a signing key"
            }
            Self::InputNotFound { .. } => "count from 0 up to the number of the job's `inputs`",
            Self::ThumbnailNotFound { .. } => "give it one with `PUT`",
            Self::WorkerNotFound { .. } => "use a name that `GET /v1/workers` lists",
            Self::RangeNotSatisfiable { .. } => {
                "stay within the size given in `Content-Range`, or ask for the whole file"
            }
            Self::Internal => "report it with the `request_id` and the server's log",
        }
    }

    /// The status it is answered with.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::InvalidPath { .. }
            | Self::InvalidJobId(_)
            | Self::InvalidQuery { .. }
            | Self::InvalidHeader { .. }
            | Self::HostMissing
            | Self::TlsNeeded
            | Self::BoundaryMissing
            | Self::BodyUnreadable
            | Self::MalformedJson { .. } => StatusCode::BAD_REQUEST,
            Self::ApiKeyMissing | Self::ApiKeyUnknown => StatusCode::UNAUTHORIZED,
            Self::TooManyWrongKeys { .. } | Self::TooManyRequests { .. } | Self::TooManyAtOnce { .. } => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Self::TargetTooLong { .. } => StatusCode::URI_TOO_LONG,
            Self::HeadersTooLarge { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::PreconditionFailed { .. } => StatusCode::PRECONDITION_FAILED,
            Self::ScopeMissing { .. } | Self::CrossOrigin | Self::SessionElsewhere => StatusCode::FORBIDDEN,
            Self::HostNotAllowed { .. } => StatusCode::MISDIRECTED_REQUEST,
            Self::RouteNotFound { .. }
            | Self::ArtifactNotFound { .. }
            | Self::StatementNotFound { .. }
            | Self::InputNotFound { .. }
            | Self::ThumbnailNotFound { .. }
            | Self::WorkerNotFound { .. } => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge { .. } | Self::JsonTooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotForm { .. }
            | Self::UnsupportedMediaType { .. }
            | Self::NotJson { .. }
            | Self::NotThumbnail { .. }
            | Self::UnsupportedEncoding { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::RangeNotSatisfiable { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::InvalidJson { .. }
            | Self::InvalidPart { .. }
            | Self::PictureIsText { .. }
            | Self::UnknownFormat { .. }
            | Self::InvalidBackend(_)
            | Self::InvalidDataUri { .. }
            | Self::InvalidMeshUri { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::TooManyConnections => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

fn media_type(found: &str) -> String {
    if found.is_empty() {
        "the request has no `Content-Type`".to_owned()
    } else {
        format!("unsupported media type `{found}`")
    }
}

fn either(scopes: &[Scope]) -> String {
    let names: Vec<String> = scopes.iter().map(|scope| format!("`{scope}`")).collect();
    names.join(" or ")
}

fn listed(formats: &[Format]) -> String {
    let names: Vec<String> = formats.iter().map(|format| format!("`{format}`")).collect();
    names.join(", ")
}
