//! Why a call failed: no answer, an answer that is not the contract's, or a refusal in the server's words.

use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;
use trellis_core::plain_line;

use crate::address;
use crate::limits::{NAME, SENTENCE};

/// Longest `Retry-After` that is obeyed.
const LONGEST_RETRY_AFTER: u64 = 60;

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum ClientError {
    /// The server's address cannot be parsed.
    #[error("`{address}` is not an address: {reason}")]
    InvalidAddress { address: String, reason: String },
    /// No answer, or only part of one.
    #[error("no answer{}: {reason}", .server.as_ref().map(|server| format!(" at {server}")).unwrap_or_default())]
    Unreachable { server: Option<String>, reason: String },
    /// The server asks to be called again later.
    #[error("{}", .problem.message)]
    Busy { problem: ServerProblem, after: Duration },
    /// The server refuses.
    #[error("{}", .0.message)]
    Refused(ServerProblem),
    /// The answer is not what `docs/http.md` says.
    #[error("cannot understand the answer{}: {reason}", .server.as_ref().map(|server| format!(" from {server}")).unwrap_or_default())]
    NotUnderstood { server: Option<String>, reason: String },
    /// A file cannot be written on this side.
    #[error("a downloaded file cannot be written: {reason}")]
    NotKept { reason: String },
    /// A file does not have the digest that its job lists.
    #[error("`{name}` arrived damaged")]
    Damaged { name: String },
}

/// An error answer of the server (RFC 9457), or of a proxy in front of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerProblem {
    /// The HTTP status.
    pub status: u16,
    /// The server's name for the kind of problem, such as `queue_full`; of another answer its status.
    pub kind: String,
    /// What happened.
    pub message: String,
    /// What to do, if the answer says so.
    pub fix: Option<String>,
}

impl ClientError {
    /// Stable name, as scripts see it.
    pub fn kind(&self) -> &str {
        match self {
            Self::InvalidAddress { .. } => "invalid_address",
            Self::Unreachable { .. } => "unreachable",
            Self::Busy { problem, .. } | Self::Refused(problem) => &problem.kind,
            Self::NotKept { .. } => "unwritable",
            Self::NotUnderstood { .. } | Self::Damaged { .. } => "not_understood",
        }
    }

    /// Whether a server that restarts explains it.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Busy { .. })
    }

    /// The error for an answer that names another address, which is not followed.
    pub(crate) fn elsewhere(status: StatusCode, to: Option<&str>) -> Self {
        let to = to.map_or_else(
            || "elsewhere".to_owned(),
            |to| format!("to `{}`", address::shown(to)),
        );
        Self::Refused(plain_problem(ServerProblem {
            status: status.as_u16(),
            kind: "redirected".to_owned(),
            message: format!("the server answered {status}: it sends this client {to}"),
            fix: Some("give `--server` the address that answers itself".to_owned()),
        }))
    }

    /// The error for an answer other than 2xx. `after` is its `Retry-After` in seconds.
    pub(crate) fn of_answer(status: StatusCode, after: Option<u64>, body: &str) -> Self {
        let problem = ServerProblem::read(status, serde_json::from_str(body).unwrap_or_default());
        let problem = plain_problem(problem);
        let waits = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&status);
        match after {
            Some(seconds) if waits => Self::Busy {
                problem,
                after: Duration::from_secs(seconds.clamp(1, LONGEST_RETRY_AFTER)),
            },
            _ => Self::Refused(problem),
        }
    }
}

impl From<reqwest::Error> for ClientError {
    fn from(error: reqwest::Error) -> Self {
        // The root cause says it ("Connection refused"), the layers above only repeat the address.
        let mut root: &dyn std::error::Error = &error;
        while let Some(source) = root.source() {
            root = source;
        }
        let server = error.url().map(|url| url.origin().ascii_serialization());
        Self::Unreachable {
            server,
            reason: connection_problem(root),
        }
    }
}

/// Why a connection cannot be made. rustls says of a server without TLS that its message is corrupt.
fn connection_problem(root: &dyn std::error::Error) -> String {
    let text = root.to_string();
    let plain = match text.as_str() {
        text if text.contains("InvalidContentType") => {
            "it does not answer in TLS; an address with `http://` may be meant"
        }
        // The second: of an authority that has the name of a trusted one.
        text if text.contains("UnknownIssuer") || text.contains("BadSignature") => {
            "no authority that this machine trusts has signed its certificate; `SSL_CERT_FILE` names a file of others"
        }
        text if text.contains("certificate expired") => "its certificate has expired",
        text if text.contains("not valid for name") => "its certificate is for other names",
        _ => return text,
    };
    plain.to_owned()
}

/// The body of an error answer. Everything is optional: a proxy in between answers in its own way.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    detail: String,
    fix: String,
}

impl ServerProblem {
    fn read(status: StatusCode, body: Body) -> Self {
        let filled = |text: String| Some(text).filter(|text| !text.is_empty());
        let kind = body.kind.rsplit(':').next().unwrap_or_default().to_owned();
        let message = filled(body.detail).or_else(|| filled(body.title));
        Self {
            status: status.as_u16(),
            kind: filled(kind).unwrap_or_else(|| status.as_u16().to_string()),
            message: message.unwrap_or_else(|| format!("the server answered {status}")),
            fix: filled(body.fix),
        }
    }
}

fn plain_problem(problem: ServerProblem) -> ServerProblem {
    ServerProblem {
        status: problem.status,
        kind: plain_line(&problem.kind, NAME),
        message: plain_line(&problem.message, SENTENCE),
        fix: problem.fix.map(|fix| plain_line(&fix, SENTENCE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(status: StatusCode, body: &str) -> ServerProblem {
        match ClientError::of_answer(status, None, body) {
            ClientError::Refused(problem) => problem,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_problem_keeps_its_kind_and_fix() {
        let text = r#"{"type":"urn:trellis-server:problem:queue_full","title":"t","detail":"d","fix":"f","status":503}"#;
        let problem = problem(StatusCode::SERVICE_UNAVAILABLE, text);
        assert_eq!(
            (
                problem.kind.as_str(),
                problem.message.as_str(),
                problem.fix.as_deref()
            ),
            ("queue_full", "d", Some("f"))
        );
    }

    #[test]
    fn a_proxys_answer_still_says_something() {
        let problem = problem(StatusCode::BAD_GATEWAY, "<html>");
        assert_eq!(problem.kind, "502");
        assert_eq!(problem.message, "the server answered 502 Bad Gateway");
        assert_eq!(problem.fix, None);
    }

    #[test]
    fn only_an_answer_that_asks_for_it_is_waited_for() {
        let error = |status, after| ClientError::of_answer(status, after, "");
        let waits =
            |error| matches!(error, ClientError::Busy { after, .. } if after <= Duration::from_secs(60));
        assert!(waits(error(StatusCode::SERVICE_UNAVAILABLE, Some(1))));
        assert!(waits(error(StatusCode::TOO_MANY_REQUESTS, Some(9000))));
        assert!(!waits(error(StatusCode::SERVICE_UNAVAILABLE, None)));
        assert!(!waits(error(StatusCode::BAD_REQUEST, Some(1))));
    }
}
