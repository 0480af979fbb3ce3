//! The calls of the server's v1 interface that `generate --server` and `workers` make.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::multipart::{Form, Part};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use trellis_core::{BackendChoice, Job, JobId, Secret, WorkerCommand, WorkerStatus, plain_words};

use super::engine::Order;
use super::trouble::Trouble;
use crate::env;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest silence: events are at most half a minute apart, because the server sends comments.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest `Retry-After` that is obeyed.
const LONGEST_RETRY_AFTER: u64 = 60;

/// Why a call did not give what it should.
#[derive(Debug)]
pub(crate) enum CallError {
    /// No answer, or not a whole one.
    Unreachable(String),
    /// The server wants the call later.
    Busy { problem: Trouble, after: Duration },
    /// The server refuses.
    Problem(Trouble),
    /// The answer is not of the contract.
    NotUnderstood(String),
}

impl From<CallError> for Trouble {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Unreachable(message) => Self::unreachable(message),
            CallError::Busy { problem, .. } | CallError::Problem(problem) => problem,
            CallError::NotUnderstood(message) => Self::not_understood(message),
        }
    }
}

impl From<reqwest::Error> for CallError {
    fn from(error: reqwest::Error) -> Self {
        // The root cause says it ("Connection refused"), the layers above only repeat the address.
        let mut root: &dyn std::error::Error = &error;
        while let Some(source) = root.source() {
            root = source;
        }
        let place = error.url().map(|url| url.origin().ascii_serialization());
        let at = |before: &str| {
            place
                .as_deref()
                .map(|place| format!("{before}{place}"))
                .unwrap_or_default()
        };
        if error.is_decode() {
            let reason = plain_words(&root.to_string());
            Self::NotUnderstood(format!("the answer{} is not understood: {reason}", at(" of ")))
        } else {
            Self::Unreachable(format!("no answer{}: {}", at(" at "), of_connection(root)))
        }
    }
}

/// What keeps a connection from being made. rustls says of a server without TLS that its message is corrupt.
fn of_connection(root: &dyn std::error::Error) -> String {
    let text = root.to_string();
    if text.contains("InvalidContentType") {
        "it does not answer in TLS; an address with `http://` may be meant".to_owned()
    } else {
        text
    }
}

/// An error answer (RFC 9457). Everything is optional: a proxy in between answers in its own way.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    detail: String,
    fix: String,
}

/// What a server tells of itself, as far as it is of use here.
#[derive(Debug, Deserialize)]
pub(crate) struct Facts {
    pub(crate) backends: Vec<BackendFacts>,
}

/// One of its backends.
#[derive(Debug, Deserialize)]
pub(crate) struct BackendFacts {
    pub(crate) name: String,
    pub(crate) description: String,
}

/// The answer to `GET /v1/workers`.
#[derive(Debug, Deserialize)]
struct Workers {
    workers: Vec<WorkerStatus>,
}

/// A server's address and connections to it.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    address: String,
}

impl Client {
    /// A client for the server at `address`, `http://` or `https://`.
    /// `key` is sent with every call.
    pub(crate) fn new(address: &str, key: Option<&Secret>) -> Result<Self, Trouble> {
        // Chosen once for the process; a second call finds it there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder();
        if address.starts_with("http://") {
            // Otherwise a machine without any root certificates could not even talk to its own server.
            builder = builder.tls_certs_only([]);
        }
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            let value = HeaderValue::try_from(format!("Bearer {}", key.reveal()));
            let mut value = value.expect("a secret is visible ASCII");
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        let http = builder
            .default_headers(headers)
            .user_agent(concat!("trellis/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .build()
            .map_err(|error| Trouble::from(CallError::from(error)))?;
        Ok(Self {
            http,
            address: address.trim_end_matches('/').to_owned(),
        })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Asks what the server has, which also tells whether there is one.
    pub(crate) async fn facts(&self) -> Result<Facts, CallError> {
        Ok(accepted(self.get("version")).await?.json().await?)
    }

    /// Whether the server lets this client see its jobs.
    pub(crate) async fn check_access(&self) -> Result<(), CallError> {
        accepted(self.get("jobs?limit=1")).await.map(drop)
    }

    /// Submits a job under an idempotency key.
    pub(crate) async fn submit(
        &self,
        order: &Order,
        backend: BackendChoice,
        key: &str,
    ) -> Result<Job, CallError> {
        let params = serde_json::to_string(&order.patch).expect("parameters are plain values");
        // Names as they are: the server reads no other form of those that are not ASCII.
        let form = Form::new().percent_encode_noop();
        let mut form = form.text("params", params).text("backend", backend.name());
        for (index, picture) in order.pictures.iter().enumerate() {
            let length = picture.len() as u64;
            let part = Part::stream_with_length(picture.clone(), length);
            // The server names the object after the first. An ending is taken off, whichever it is.
            let part = match (index, &order.name) {
                (0, Some(name)) => part.file_name(format!("{name}.picture")),
                (0, None) => part,
                _ => part.file_name(format!("picture-{index}")),
            };
            form = form.part("image", part);
        }
        let call = self
            .http
            .post(self.url("jobs"))
            .header("Idempotency-Key", key)
            .multipart(form);
        let call = if order.of_server.anew {
            call.header(header::CACHE_CONTROL, "no-cache")
        } else {
            call
        };
        Ok(accepted(call).await?.json().await?)
    }

    /// One job.
    pub(crate) async fn job(&self, id: JobId) -> Result<Job, CallError> {
        Ok(accepted(self.get(&format!("jobs/{id}"))).await?.json().await?)
    }

    /// The stream of a job's events after `last_seen`.
    pub(crate) async fn events(&self, id: JobId, last_seen: u64) -> Result<Response, CallError> {
        let mut call = self
            .get(&format!("jobs/{id}/events"))
            .header(header::ACCEPT, "text/event-stream");
        if last_seen > 0 {
            call = call.header("Last-Event-ID", last_seen);
        }
        accepted(call).await
    }

    /// A file's bytes.
    pub(crate) async fn artifact(&self, id: JobId, name: &str) -> Result<Bytes, CallError> {
        Ok(accepted(self.get(&format!("jobs/{id}/artifacts/{name}")))
            .await?
            .bytes()
            .await?)
    }

    /// The statement about a job's result.
    pub(crate) async fn statement(&self, id: JobId) -> Result<Bytes, CallError> {
        Ok(accepted(self.get(&format!("jobs/{id}/statement")))
            .await?
            .bytes()
            .await?)
    }

    /// Cancels a job.
    pub(crate) async fn cancel(&self, id: JobId) -> Result<(), CallError> {
        accepted(self.http.delete(self.url(&format!("jobs/{id}"))))
            .await
            .map(drop)
    }

    /// The server's workers.
    pub(crate) async fn workers(&self) -> Result<Vec<WorkerStatus>, CallError> {
        let list: Workers = accepted(self.get("workers")).await?.json().await?;
        Ok(list.workers)
    }

    /// Has a worker do something.
    pub(crate) async fn command_worker(&self, name: &str, command: WorkerCommand) -> Result<(), CallError> {
        let mut url = self.parsed("workers")?;
        if let Ok(mut path) = url.path_segments_mut() {
            // Escaped, so that no name reaches another route.
            path.push(name).push(command.name());
        }
        accepted(self.http.post(url)).await.map(drop)
    }

    fn parsed(&self, path: &str) -> Result<reqwest::Url, CallError> {
        let address = self.url(path);
        reqwest::Url::parse(&address)
            .map_err(|error| CallError::Unreachable(format!("`{address}` is not an address: {error}")))
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(self.url(path))
    }

    fn url(&self, path: &str) -> String {
        format!("{}/v1/{path}", self.address)
    }
}

/// Sends a call and takes only a good answer.
async fn accepted(call: RequestBuilder) -> Result<Response, CallError> {
    let response = call.send().await?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let after = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let text = response.text().await.unwrap_or_default();
    let problem = trouble(status, serde_json::from_str(&text).unwrap_or_default());
    match after {
        Some(seconds)
            if matches!(
                status,
                StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
            ) =>
        {
            let after = Duration::from_secs(u64::clamp(seconds, 1, LONGEST_RETRY_AFTER));
            Err(CallError::Busy { problem, after })
        }
        _ => Err(CallError::Problem(problem)),
    }
}

fn trouble(status: StatusCode, problem: Problem) -> Trouble {
    let message = [problem.detail, problem.title]
        .into_iter()
        .find(|text| !text.is_empty());
    let kind = problem.kind.rsplit(':').next().unwrap_or_default().to_owned();
    Trouble {
        kind: if kind.is_empty() {
            status.as_u16().to_string()
        } else {
            kind
        },
        message: message.unwrap_or_else(|| format!("the server answered {status}")),
        fix: if status == StatusCode::UNAUTHORIZED {
            // The server's own advice is for whoever writes requests by hand.
            format!(
                "put the server's API key into `${}`, or name its file with `--api-key-file`",
                env::API_KEY
            )
        } else if problem.fix.is_empty() {
            "look at the server's log".to_owned()
        } else {
            problem.fix
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_keeps_its_kind_and_fix() {
        let text = r#"{"type":"urn:trellis-server:problem:queue_full","title":"t","detail":"d","fix":"f","status":503}"#;
        let trouble = trouble(
            StatusCode::SERVICE_UNAVAILABLE,
            serde_json::from_str(text).unwrap(),
        );
        assert_eq!(
            (
                trouble.kind.as_str(),
                trouble.message.as_str(),
                trouble.fix.as_str()
            ),
            ("queue_full", "d", "f")
        );
    }

    #[test]
    fn a_proxys_answer_still_says_something() {
        let trouble = trouble(StatusCode::BAD_GATEWAY, Problem::default());
        assert_eq!(trouble.kind, "502");
        assert_eq!(trouble.message, "the server answered 502 Bad Gateway");
    }
}
