//! Reads a server's answers, no further than they may go.
//!
//! Not here: the limits (`limits.rs`), and when a call is made again (`retry.rs`).

use bytes::Bytes;
use reqwest::Response;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use trellis_core::{Artifact, Sha256, Sha256Hasher, file_size, plain_line, plain_words};

use crate::error::ClientError;
use crate::limits::{MAX_JSON_BYTES, MAX_PROBLEM_BYTES, SENTENCE};

/// The server in front of an answer, for messages.
pub(crate) fn server(response: &Response) -> String {
    response.url().origin().ascii_serialization()
}

/// An answer that is JSON.
pub(crate) async fn json<T: DeserializeOwned>(response: Response) -> Result<T, ClientError> {
    let server = Some(server(&response));
    let body = bytes(response, MAX_JSON_BYTES).await?;
    serde_json::from_slice(&body).map_err(|error| ClientError::NotUnderstood {
        server,
        reason: plain_line(&plain_words(&error.to_string()), SENTENCE),
    })
}

/// The text of an answer that says what is wrong; of a longer one nothing.
pub(crate) async fn problem(response: Response) -> String {
    let body = bytes(response, MAX_PROBLEM_BYTES).await.unwrap_or_default();
    String::from_utf8_lossy(&body).into_owned()
}

/// An answer of at most so many bytes.
pub(crate) async fn bytes(mut response: Response, most: u64) -> Result<Bytes, ClientError> {
    let too_long = ClientError::NotUnderstood {
        server: Some(server(&response)),
        reason: format!("it is longer than {}", file_size(most)),
    };
    if response.content_length().is_some_and(|length| length > most) {
        return Err(too_long);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if (body.len() + chunk.len()) as u64 > most {
            return Err(too_long);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}

/// Writes a file's bytes, which must be those that the job lists.
pub(crate) async fn file(
    mut response: Response,
    artifact: &Artifact,
    into: &mut (impl AsyncWrite + Unpin),
) -> Result<(), ClientError> {
    let damaged = || ClientError::Damaged {
        name: artifact.name.clone(),
    };
    let mut digest = Sha256Hasher::default();
    let mut left = artifact.size_bytes;
    while let Some(chunk) = response.chunk().await? {
        left = left.checked_sub(chunk.len() as u64).ok_or_else(damaged)?;
        digest.update(&chunk);
        into.write_all(&chunk).await.map_err(|error| not_kept(&error))?;
    }
    into.flush().await.map_err(|error| not_kept(&error))?;
    let (_, found): (u64, Sha256) = digest.finish();
    if left > 0 || found != artifact.sha256 {
        return Err(damaged());
    }
    Ok(())
}

/// A file on this side that cannot be written.
pub(crate) fn not_kept(error: &std::io::Error) -> ClientError {
    ClientError::NotKept {
        reason: error.to_string(),
    }
}
