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

/// How many times its grace a client may have in hand by being faster than it must: then a pause is forgiven, but
/// no client holds a place for a quarter of an hour because it sent the most of its body at once.
const MOST_GRACES: u32 = 3;

/// How long a body may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How far a client may be behind [`Pace::bytes_per_second`] from the beginning. Only the time that the server
    /// waits for it counts.
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
    /// How long the server waits for the next part, where it had `patience`, waited for a part of `bytes` and got it.
    fn patience_after(self, patience: Duration, waited: Duration, bytes: u64) -> Duration {
        let earned = bytes.saturating_mul(1000) / u64::from(self.bytes_per_second.max(1));
        let left = patience.saturating_sub(waited);
        left.saturating_add(Duration::from_millis(earned))
            .min(self.grace * MOST_GRACES)
    }
}

/// Middleware: a body that comes too slowly ends the request, whatever the handler makes of the cut.
pub(crate) async fn paced(State(pace): State<Pace>, request: Request, next: Next) -> Response {
    let slow = Arc::new(AtomicBool::new(false));
    let request = request.map(|body| {
        Body::new(PacedBody {
            body,
            pace,
            patience: pace.grace,
            began: None,
            waiting: None,
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
    /// How long the server still waits for the next part.
    patience: Duration,
    /// When the first part was waited for. Before, the client waits for us.
    began: Option<Instant>,
    /// Since when the next part is waited for, and for how long.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
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
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            let waited = this
                .waiting
                .take()
                .map_or(Duration::ZERO, |(since, _)| since.elapsed());
            if let Some(Ok(frame)) = &frame {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                this.patience = this.pace.patience_after(this.patience, waited, bytes);
            }
            return Poll::Ready(frame);
        }
        let (_, end) = this.waiting.get_or_insert_with(|| {
            let now = Instant::now();
            let began = *this.began.get_or_insert(now);
            let end = (now + this.patience).min(began + this.pace.whole);
            (now, Box::pin(sleep_until(end)))
        });
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
    use std::convert::Infallible;

    use futures::{StreamExt as _, stream};
    use tokio::time::sleep;

    use super::*;

    const PACE: Pace = Pace {
        grace: Duration::from_secs(10),
        bytes_per_second: 1000,
        whole: Duration::from_secs(600),
    };

    /// How many of the parts are taken: each comes so many seconds after the one before was, with so many bytes.
    async fn taken(parts: Vec<(u64, usize)>) -> usize {
        let parts = stream::iter(parts).then(|(seconds, bytes)| async move {
            sleep(Duration::from_secs(seconds)).await;
            Ok::<_, Infallible>(Bytes::from(vec![0; bytes]))
        });
        let body = PacedBody {
            body: Body::from_stream(parts),
            pace: PACE,
            patience: PACE.grace,
            began: None,
            waiting: None,
            slow: Arc::default(),
        };
        let mut frames = std::pin::pin!(body);
        let mut taken = 0;
        while let Some(Ok(_)) = std::future::poll_fn(|context| frames.as_mut().poll_frame(context)).await {
            taken += 1;
        }
        taken
    }

    #[tokio::test(start_paused = true)]
    async fn who_keeps_the_rate_is_waited_for_until_the_whole_time_is_over() {
        assert_eq!(taken(vec![(5, 5_000); 60]).await, 60);
        assert_eq!(taken(vec![(7, 7_000); 200]).await, 85);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_slower_is_waited_for_as_long_as_the_grace() {
        assert_eq!(taken(vec![(9, 1)]).await, 1);
        assert_eq!(taken(vec![(11, 1)]).await, 0);
        assert_eq!(taken(vec![(4, 1), (4, 1), (4, 1)]).await, 2);
        assert_eq!(taken(vec![(2, 1_000); 100]).await, 9);
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_fast_may_pause_and_not_for_ever() {
        assert_eq!(taken(vec![(0, 1 << 20), (29, 1)]).await, 2);
        assert_eq!(taken(vec![(0, 1 << 20), (31, 1)]).await, 1);
    }
}
