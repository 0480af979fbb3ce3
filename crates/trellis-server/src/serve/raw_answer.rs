//! A problem as a whole answer, written without the HTTP library: for where no request was read. The connection ends
//! after it.

use std::fmt::Write as _;

use uuid::Uuid;

use crate::harden::HARDENED;
use crate::problem::{MEDIA_TYPE, Problem};
use crate::request_error::RequestError;

/// The problem of `error` as bytes.
pub(super) fn raw_answer(error: RequestError) -> String {
    let problem = Problem::from(error);
    let body = serde_json::json!(problem.body(&Uuid::now_v7().to_string())).to_string();
    let mut head = format!("HTTP/1.1 {}\r\nconnection: close\r\n", problem.status);
    for (name, value) in problem.headers() {
        let _ = write!(head, "{name}: {}\r\n", value.to_str().unwrap_or_default());
    }
    for (name, value) in HARDENED {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    format!(
        "{head}cache-control: no-store\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}
