//! How slowly a client may send a body: a least rate and a total time, so that nobody holds a place for ever by
//! sending a byte now and then.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::request_error::RequestError;

/// How long a body may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How much later than by [`Pace::bytes_per_second`] every part may come.
    pub grace: Duration,
    /// The least rate.
    pub bytes_per_second: u32,
    /// The longest time for all of it.
    pub whole: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(10),
            bytes_per_second: 8 * 1024,
            whole: Duration::from_secs(15 * 60),
        }
    }
}

impl Pace {
    /// How long after its beginning the next part may come, once `received` bytes are there.
    fn patience(self, received: u64) -> Duration {
        let due =
            Duration::from_millis(received.saturating_mul(1000) / u64::from(self.bytes_per_second.max(1)));
        self.grace.saturating_add(due).min(self.whole)
    }
}

/// Middleware: a body that comes too slowly ends the request, whatever the handler makes of the cut.
pub(crate) async fn paced(State(pace): State<Pace>, request: Request, next: Next) -> Response {
    let slow = Arc::new(AtomicBool::new(false));
    let request = request.map(|body| {
        Body::new(PacedBody {
            body,
            pace,
            received: 0,
            began: None,
            slow: Arc::clone(&slow),
        })
    });
    let response = next.run(request).await;
    if !slow.load(Ordering::Relaxed) {
        return response;
    }
    let mut response = RequestError::BodyTooSlow.into_response();
    // The rest of the body may still be on its way.
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

struct PacedBody {
    body: Body,
    pace: Pace,
    received: u64,
    /// When it was first asked for, and the end of patience. Before, the client waits for us.
    began: Option<(Instant, Pin<Box<Sleep>>)>,
    slow: Arc<AtomicBool>,
}

impl HttpBody for PacedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let patience = this.pace.patience(this.received);
        let (began, end) = this.began.get_or_insert_with(|| {
            let now = Instant::now();
            (now, Box::pin(sleep_until(now + patience)))
        });
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            if let Some(Ok(frame)) = &frame {
                this.received += frame.data_ref().map_or(0, |data| data.len() as u64);
                end.as_mut().reset(*began + this.pace.patience(this.received));
            }
            return Poll::Ready(frame);
        }
        ready!(end.as_mut().poll(context));
        this.slow.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(axum::Error::new(RequestError::BodyTooSlow))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_grows_with_what_came_and_has_an_end() {
        let pace = Pace {
            grace: Duration::from_secs(10),
            bytes_per_second: 1000,
            whole: Duration::from_secs(60),
        };
        assert_eq!(pace.patience(0), Duration::from_secs(10));
        assert_eq!(pace.patience(5000), Duration::from_secs(15));
        assert_eq!(pace.patience(1 << 40), Duration::from_secs(60));
    }
}
