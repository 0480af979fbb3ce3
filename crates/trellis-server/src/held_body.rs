//! The body of an answer that keeps something, such as a mark that its connection is at work, until it is sent or given
//! up.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};

pub(crate) struct HeldBody<Held> {
    body: Body,
    _held: Held,
}

impl<Held> HeldBody<Held> {
    pub(crate) fn new(body: Body, held: Held) -> Self {
        Self { body, _held: held }
    }
}

impl<Held: Unpin> HttpBody for HeldBody<Held> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
