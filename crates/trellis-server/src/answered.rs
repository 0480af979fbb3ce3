//! The line of the log about an answer, written when the last byte is sent or the client has gone.
//!
//! Its target is `requests`, so that a log filter such as `info,requests=off` leaves the lines out.

use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::StatusCode;
use http_body::{Frame, SizeHint};
use tracing::{Span, debug, info};

/// A request's line, which is written when this is dropped.
pub(crate) struct Line {
    span: Span,
    client: IpAddr,
    started: Instant,
    /// `None` until there is an answer.
    status: Option<u16>,
    /// Whether only who looks for everything looks at it.
    routine: bool,
    bytes: u64,
    /// Whether all of the answer was sent.
    whole: bool,
}

impl Line {
    /// Of a request that `client` sent now.
    pub(crate) fn new(span: Span, client: IpAddr) -> Self {
        Self {
            span,
            client,
            started: Instant::now(),
            status: None,
            routine: false,
            bytes: 0,
            whole: false,
        }
    }

    /// What it is answered with.
    pub(crate) fn answered(&mut self, status: StatusCode, routine: bool) {
        (self.status, self.routine) = (Some(status.as_u16()), routine);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _in_span = self.span.enter();
        let Self {
            client,
            status,
            bytes,
            ..
        } = self;
        let seconds = self.started.elapsed().as_secs_f64();
        // The client left, or the server lost patience.
        let cut_short = (!self.whole).then_some(true);
        if self.routine {
            debug!(target: "requests", status, bytes, seconds, %client, cut_short, "answered");
        } else {
            info!(target: "requests", status, bytes, seconds, %client, cut_short, "answered");
        }
    }
}

/// The body of an answer, counted.
pub(crate) struct LoggedBody {
    body: Body,
    /// How many bytes there are, where that is known.
    length: Option<u64>,
    line: Line,
}

impl LoggedBody {
    /// `named` is the answer's `Content-Length`, which counts where the body does not know its own length.
    pub(crate) fn new(body: Body, named: Option<u64>, mut line: Line) -> Self {
        let length = body.size_hint().exact().or(named);
        line.whole = length == Some(0);
        Self { body, length, line }
    }
}

impl HttpBody for LoggedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame {
            self.line.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        // Of a body whose length is known nobody asks for the end.
        self.line.whole = frame.is_none() || self.length == Some(self.line.bytes);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
