//! A connection whose client must read what it asked for: otherwise one that reads a byte now and then would keep
//! its place, and an open file, for ever.
//!
//! Only time in which the client's buffers are full counts, so a stream of rare events may live for days.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// What is read at a time. A client that sends a form has about six times as much in buffers.
const READ_BYTES: usize = 16 << 10;

/// How slowly a client may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadingPace {
    /// How long it may read nothing.
    pub grace: Duration,
    /// The least rate beyond that.
    pub bytes_per_second: u32,
}

impl Default for ReadingPace {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(30),
            bytes_per_second: 1024,
        }
    }
}

pub(super) struct PacedStream<S> {
    stream: S,
    pace: ReadingPace,
    /// For how long the client may still be waited for; grows with what it takes, up to the grace.
    credit: Duration,
    /// Since when it takes nothing, and when the credit ends.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<S> PacedStream<S> {
    pub(super) fn new(stream: S, pace: ReadingPace) -> Self {
        Self {
            stream,
            pace,
            credit: pace.grace,
            waiting: None,
        }
    }

    fn reckon(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(result) = written {
            if let Some((since, _)) = self.waiting.take() {
                self.credit = self.credit.saturating_sub(since.elapsed());
            }
            let bytes = *result.as_ref().unwrap_or(&0) as u64;
            let earned = Duration::from_millis(bytes * 1000 / u64::from(self.pace.bytes_per_second.max(1)));
            self.credit = (self.credit + earned).min(self.pace.grace);
            return Poll::Ready(result);
        }
        let credit = self.credit;
        let (_, end) = self.waiting.get_or_insert_with(|| {
            let now = Instant::now();
            (now, Box::pin(sleep_until(now + credit)))
        });
        ready!(end.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client does not read its answer",
        )))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PacedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // An idle connection's buffer stays untouched, so that it takes no memory.
        if buffer.remaining() <= READ_BYTES {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        // hyper doubles its buffer whenever a read fills it, for each connection that sends a picture.
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(READ_BYTES));
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut part))?;
        let read = part.filled().len();
        buffer.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PacedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.reckon(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.reckon(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::sleep;

    use super::*;

    const PACE: ReadingPace = ReadingPace {
        grace: Duration::from_secs(60),
        bytes_per_second: 1000,
    };

    /// Writes 100,000 bytes to a client that takes so many every second; how that ended and when.
    async fn writing_to(bytes_a_second: usize) -> (io::Result<()>, Duration) {
        let (ours, mut theirs) = duplex(1000);
        let reading = tokio::spawn(async move {
            let mut buffer = vec![0; bytes_a_second];
            loop {
                sleep(Duration::from_secs(1)).await;
                if bytes_a_second > 0 && theirs.read_exact(&mut buffer).await.is_err() {
                    return;
                }
            }
        });
        let began = Instant::now();
        let mut stream = PacedStream::new(ours, PACE);
        let ended = stream.write_all(&vec![7; 100_000]).await;
        reading.abort();
        (ended, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_is_left_after_the_grace() {
        for (rate, at_least, at_most) in [(0, 60, 61), (1, 60, 61), (500, 115, 130)] {
            let (ended, after) = writing_to(rate).await;
            assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::TimedOut, "{rate}");
            assert!(
                (at_least..=at_most).contains(&after.as_secs()),
                "{rate}: {after:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_slowly_but_fast_enough_gets_all() {
        let (ended, after) = writing_to(1000).await;
        assert!(ended.is_ok() && after > Duration::from_secs(90), "{after:?}");
    }
}
