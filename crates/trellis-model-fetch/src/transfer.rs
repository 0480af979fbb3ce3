//! Moves a file's bytes into its part: ranges side by side, each over as many cuts as it takes.

use futures::stream::{self, TryStreamExt as _};
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderName};
use reqwest::{Response, StatusCode};

use crate::client::{Hub, media_type};
use crate::error::FetchError;
use crate::file::Wanted;
use crate::partial::{Partial, Span};
use crate::progress::Progress;
use crate::retry::Trouble;

/// Bytes that are collected before they are written: one system call a MiB.
const WRITE_BYTES: usize = 1 << 20;

/// Why a range request did not end the range.
enum Stop {
    /// Try again from where it stopped.
    Trouble(Trouble),
    /// The server sends files only as a whole.
    NoRanges,
    Fatal(FetchError),
}

impl From<FetchError> for Stop {
    fn from(error: FetchError) -> Self {
        Self::Fatal(error)
    }
}

/// A file on its way.
pub(crate) struct Transfer<'a> {
    pub(crate) hub: &'a Hub,
    pub(crate) wanted: &'a Wanted,
    pub(crate) partial: &'a Partial,
    pub(crate) progress: &'a dyn Progress,
}

impl Transfer<'_> {
    /// Brings the missing ranges, several at a time; or all of it in one stream if the server knows no ranges.
    pub(crate) async fn fill(&self) -> Result<(), FetchError> {
        let spans = stream::iter(self.partial.missing().into_iter().map(Ok));
        let filled = spans
            .try_for_each_concurrent(self.hub.settings.connections.max(1), |span| {
                self.transfer_range(span)
            })
            .await;
        match filled {
            Ok(()) => Ok(()),
            Err(Stop::Fatal(error)) => Err(error),
            Err(Stop::NoRanges | Stop::Trouble(_)) => self.transfer_whole().await,
        }
    }

    async fn transfer_range(&self, span: Span) -> Result<(), Stop> {
        let mut attempts = self.hub.attempts(&self.wanted.name, self.progress);
        let mut at = span.start;
        while at < span.end {
            let before = at;
            let permit = self.hub.open.acquire().await;
            let stopped = self.stream_range(&mut at, span.end).await;
            drop(permit);
            match stopped {
                Ok(()) => {}
                Err(Stop::Trouble(trouble)) => {
                    // A server that gives a little each time is slow, not broken.
                    if at - before > (span.end - span.start) / 16 {
                        attempts.reset();
                    }
                    attempts.pause(trouble).await?;
                }
                Err(other) => return Err(other),
            }
        }
        self.partial.finish(span).await?;
        Ok(())
    }

    /// Reads `at..end` from the server into the part and moves `at` along.
    async fn stream_range(&self, at: &mut u64, end: u64) -> Result<(), Stop> {
        let response = match self.hub.send(&self.wanted.url, Some((*at, end))).await {
            Ok(response) => response,
            Err(Trouble::Status { status, .. }) if status == StatusCode::RANGE_NOT_SATISFIABLE => {
                return Err(wrong_size(self.wanted, *at, self.partial.size()).into());
            }
            Err(trouble) => return Err(Stop::Trouble(trouble)),
        };
        accept(self.wanted, &response, *at, end, self.partial.size())?;
        self.read_body(response, at, end).await
    }

    /// Brings the file from its start, in one stream: a cut means from the start again.
    async fn transfer_whole(&self) -> Result<(), FetchError> {
        self.progress.lost(&self.wanted.name, self.partial.done_bytes());
        let mut attempts = self.hub.attempts(&self.wanted.name, self.progress);
        loop {
            let permit = self.hub.open.acquire().await;
            let mut at = 0;
            let stopped = self.stream_whole(&mut at).await;
            drop(permit);
            match stopped {
                Ok(()) => return Ok(()),
                Err(Stop::Fatal(error)) => return Err(error),
                Err(Stop::Trouble(trouble)) => {
                    self.progress.lost(&self.wanted.name, at);
                    attempts.pause(trouble).await?;
                }
                Err(Stop::NoRanges) => attempts.pause(Trouble::Cut).await?,
            }
        }
    }

    async fn stream_whole(&self, at: &mut u64) -> Result<(), Stop> {
        let size = self.partial.size();
        let sent = self.hub.send(&self.wanted.url, None).await;
        let response = sent.map_err(Stop::Trouble)?;
        accept(self.wanted, &response, 0, size, size)?;
        self.read_body(response, at, size).await
    }

    async fn read_body(&self, mut response: Response, at: &mut u64, end: u64) -> Result<(), Stop> {
        let mut collected = Vec::new();
        loop {
            let received = response.chunk().await;
            let left = usize::try_from(end - *at).unwrap_or(usize::MAX) - collected.len();
            if let Ok(Some(bytes)) = &received {
                // More than was asked for is the server's fault and not written.
                collected.extend_from_slice(&bytes[..bytes.len().min(left)]);
            }
            let over = !matches!(received, Ok(Some(_))) || collected.len() as u64 == end - *at;
            if over || collected.len() >= WRITE_BYTES {
                let length = collected.len() as u64;
                self.partial.write(*at, std::mem::take(&mut collected)).await?;
                *at += length;
                self.progress.advanced(&self.wanted.name, length);
            }
            match received {
                _ if *at == end => return Ok(()),
                Ok(Some(_)) => {}
                Ok(None) => return Err(Stop::Trouble(Trouble::Cut)),
                Err(error) => return Err(Stop::Trouble(Trouble::Transport(error.without_url()))),
            }
        }
    }
}

/// Whether an answer is the part of the file that was asked for.
fn accept(wanted: &Wanted, response: &Response, at: u64, end: u64, size: u64) -> Result<(), Stop> {
    if response.status() == StatusCode::PARTIAL_CONTENT {
        return match content_range(response) {
            Some((start, total)) if start == at && total == size => Ok(()),
            Some((_, total)) if total != size => Err(wrong_size(wanted, total, size).into()),
            _ => Err(Stop::NoRanges),
        };
    }
    let length: Option<u64> = header(response, &CONTENT_LENGTH).and_then(|text| text.parse().ok());
    match length {
        Some(length) if length != size => {
            let media_type = media_type(response.headers());
            let place = wanted.name.clone();
            Err(Stop::Fatal(if media_type == "text/html" {
                FetchError::NotAHub { place, media_type }
            } else {
                wrong_size(wanted, length, size)
            }))
        }
        _ if at == 0 && end == size => Ok(()),
        _ => Err(Stop::NoRanges),
    }
}

fn wrong_size(wanted: &Wanted, found: u64, expected: u64) -> FetchError {
    FetchError::WrongSize {
        file: wanted.name.clone(),
        found,
        expected,
    }
}

/// First byte and total of `Content-Range: bytes 0-9/100`.
pub(crate) fn content_range(response: &Response) -> Option<(u64, u64)> {
    let (range, total) = header(response, &CONTENT_RANGE)?
        .strip_prefix("bytes ")?
        .split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.trim().parse().ok()?, total.trim().parse().ok()?))
}

pub(crate) fn header<'a>(response: &'a Response, name: &HeaderName) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}
