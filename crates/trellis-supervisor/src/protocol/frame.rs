//! How a message travels: its length as four bytes, big-endian, then that many bytes of JSON.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The largest body of a frame. The longest message is a failure with its traceback, which the worker
/// cuts to 64 KiB; pictures and artifacts travel as files. More than this is noise on the socket.
pub const MAX_FRAME_BYTES: usize = 1024 * 1024;

/// Why no message could be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The other side closed the socket between two frames.
    #[error("the socket was closed")]
    Closed,
    /// The length says more than [`MAX_FRAME_BYTES`].
    #[error("a frame of {length} bytes is longer than {MAX_FRAME_BYTES}")]
    TooLong {
        /// The length found.
        length: usize,
    },
    /// The body is not a message.
    #[error("a frame is not a message of this protocol")]
    NotAMessage {
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
    /// The socket failed, or was closed within a frame.
    #[error("the socket failed")]
    Socket {
        /// What the system said.
        #[from]
        source: io::Error,
    },
}

/// Reads one message. Not cancel-safe: a task of its own reads.
pub async fn read_frame<M: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin)) -> Result<M, FrameError> {
    let mut length = [0; 4];
    let first = from.read(&mut length).await?;
    if first == 0 {
        return Err(FrameError::Closed);
    }
    from.read_exact(&mut length[first..]).await?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MAX_FRAME_BYTES {
        return Err(FrameError::TooLong { length });
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).await?;
    serde_json::from_slice(&body).map_err(|source| FrameError::NotAMessage { source })
}

/// Writes one message whole.
pub async fn write_frame(
    to: &mut (impl AsyncWrite + Unpin),
    message: &impl Serialize,
) -> Result<(), FrameError> {
    let body = serde_json::to_vec(message).map_err(|source| FrameError::NotAMessage { source })?;
    let length = u32::try_from(body.len())
        .ok()
        .filter(|_| body.len() <= MAX_FRAME_BYTES);
    let length = length.ok_or(FrameError::TooLong { length: body.len() })?;
    let mut frame = Vec::with_capacity(body.len() + 4);
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(&body);
    to.write_all(&frame).await?;
    Ok(())
}
