//! A worker's output as log lines: cut at newlines across reads, bounded in length and in rate.
//!
//! What was dropped is counted and said. Reading never stops, or the worker would block on its own output.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::Instant;
use trellis_core::{FailureKind, JobId, TraceParent, plain_line};

/// The longest line that is kept whole, in bytes.
const LONGEST_LINE: usize = 4096;
/// Lines that may come at once, and how fast that many more become due.
const BURST: u32 = 500;
const LINES_PER_SECOND: u32 = 100;
/// Last lines kept for the question why a process died.
const TAIL: usize = 40;

/// What the lines of a job say of it.
#[derive(Debug, Clone)]
pub(crate) struct JobLogs {
    job: String,
    trace: Option<String>,
}

impl JobLogs {
    pub(crate) fn of(job: JobId, traceparent: Option<TraceParent>) -> Self {
        Self {
            job: job.to_string(),
            trace: traceparent.map(TraceParent::trace_id),
        }
    }
}

/// What both streams of one process share.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// The job being worked on.
    pub(crate) job: Mutex<Option<JobLogs>>,
    tail: Mutex<VecDeque<Line>>,
}

impl Output {
    /// What the last lines tell of a death without a message: some libraries print and abort.
    pub(crate) fn inferred_kind(&self) -> Option<FailureKind> {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.iter().find_map(|line| {
            let line = line.shown();
            FailureKind::from_symptom(&line).filter(|kind| match kind {
                FailureKind::NoKernelImage => true,
                // Python says so before any code of ours runs.
                FailureKind::ExtensionMissing => line.contains("No module named 'trellis_worker'"),
                // A warning of a worker that went on says nothing of its death.
                _ => false,
            })
        })
    }

    fn keep(&self, line: Line) {
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        if tail.len() == TAIL {
            tail.pop_front();
        }
        tail.push_back(line);
    }
}

/// Reads a stream to its end.
pub(crate) async fn capture(
    mut stream: impl AsyncRead + Unpin,
    worker: Arc<str>,
    name: &'static str,
    output: Arc<Output>,
    dropped: Arc<AtomicU64>,
) {
    let mut lines = Lines::default();
    let mut rate = Rate::new(Instant::now());
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = stream.read(&mut buffer).await.unwrap_or(0);
        let whole = match count {
            // A process that died may have left a line without an end.
            0 => lines.finish().into_iter().collect(),
            _ => lines.push(&buffer[..count]),
        };
        for line in whole {
            match rate.take(Instant::now()) {
                Pass::Drop => {
                    dropped.fetch_add(1, Ordering::Relaxed);
                }
                Pass::Keep { dropped_before } => {
                    let job = output.job.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    let (job, trace) = job.map(|of| (of.job, of.trace)).unzip();
                    let trace = trace.flatten();
                    if dropped_before > 0 {
                        tracing::warn!(%worker, job, stream = name, lines = dropped_before, "worker_lines_dropped");
                    }
                    tracing::info!(%worker, job, trace, stream = name, line = line.shown(), "worker_line");
                }
            }
            output.keep(line);
        }
        if count == 0 {
            return;
        }
        // A flood must not keep the runtime from everything else.
        tokio::task::yield_now().await;
    }
}

/// A line as it came, to the longest length. Of a flood most are never shown.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    bytes: Vec<u8>,
    cut: bool,
}

impl Line {
    /// As text: what is no text, and what would move a cursor, is replaced.
    fn shown(&self) -> String {
        let mut line = plain_line(&String::from_utf8_lossy(&self.bytes), LONGEST_LINE);
        if self.cut {
            line.push('…');
        }
        line
    }
}

/// Cuts bytes into lines. What a carriage return begins again replaces what stood there, as on a terminal: of a
/// progress bar with thousands of states only the last one is a line.
#[derive(Debug, Default)]
struct Lines {
    started: Vec<u8>,
    cut: bool,
    returned: bool,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let (text, end) = match piece {
                [text @ .., end @ (b'\n' | b'\r')] => (text, Some(end)),
                text => (text, None),
            };
            if !text.is_empty() && std::mem::take(&mut self.returned) {
                self.started.clear();
                self.cut = false;
            }
            let room = LONGEST_LINE - self.started.len();
            self.cut |= text.len() > room;
            self.started.extend_from_slice(&text[..text.len().min(room)]);
            match end {
                Some(b'\n') => lines.extend(self.finish()),
                Some(_) => self.returned = true,
                None => {}
            }
        }
        lines
    }

    /// The line that was begun, if any: at a newline, and at the end of the stream.
    fn finish(&mut self) -> Option<Line> {
        let Self { started, cut, .. } = std::mem::take(self);
        (!started.is_empty()).then_some(Line { bytes: started, cut })
    }
}

/// A bucket of lines that fills with time.
#[derive(Debug)]
struct Rate {
    left: f64,
    since: Instant,
    dropped: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Pass {
    Keep { dropped_before: u64 },
    Drop,
}

impl Rate {
    fn new(now: Instant) -> Self {
        Self {
            left: f64::from(BURST),
            since: now,
            dropped: 0,
        }
    }

    fn take(&mut self, now: Instant) -> Pass {
        let passed: Duration = now.saturating_duration_since(self.since);
        self.since = now;
        self.left = (self.left + passed.as_secs_f64() * f64::from(LINES_PER_SECOND)).min(f64::from(BURST));
        if self.left < 1.0 {
            self.dropped += 1;
            return Pass::Drop;
        }
        self.left -= 1.0;
        Pass::Keep {
            dropped_before: std::mem::take(&mut self.dropped),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_cut_across_reads_and_bounded() {
        let mut lines = Lines::default();
        let mut push = |bytes: &[u8]| -> Vec<String> { lines.push(bytes).iter().map(Line::shown).collect() };
        assert!(push(b"Sampl").is_empty());
        assert_eq!(
            push(b"ing\r\n 10%\n\n\xff\x1b[0m\nrest"),
            ["Sampling", " 10%", "\u{fffd}\u{fffd}[0m"]
        );
        let long = push(&[vec![b'x'; LONGEST_LINE + 9], vec![b'\n']].concat());
        assert_eq!(long.len(), 1);
        assert_eq!(
            long[0].chars().count(),
            LONGEST_LINE + 1,
            "a mark says that it was cut"
        );
        assert!(long[0].starts_with("restxxx") && long[0].ends_with('…'));
    }

    #[test]
    fn a_progress_bar_is_one_line() {
        let mut lines = Lines::default();
        let mut push = |bytes: &[u8]| -> Vec<String> { lines.push(bytes).iter().map(Line::shown).collect() };
        assert!(push(b"\r0 % done\r50 % done     \r").is_empty());
        assert_eq!(push(b"100 % done\nnext\r\n"), ["100 % done", "next"]);
        assert!(push(b"50 %\r").is_empty());
        assert_eq!(lines.finish().unwrap().shown(), "50 %");
        assert_eq!(lines.finish(), None);
    }

    #[test]
    fn a_flood_is_dropped_and_counted() {
        let now = Instant::now();
        let mut rate = Rate::new(now);
        let kept = (0..2000)
            .filter(|_| matches!(rate.take(now), Pass::Keep { .. }))
            .count();
        assert_eq!(kept, 500);
        assert_eq!(
            rate.take(now + Duration::from_secs(1)),
            Pass::Keep { dropped_before: 1500 }
        );
    }

    #[tokio::test]
    async fn the_last_lines_tell_why_it_died() {
        let output = Arc::new(Output::default());
        let dropped = Arc::new(AtomicU64::new(0));
        let read = async |text: &str| {
            let (output, dropped) = (Arc::clone(&output), Arc::clone(&dropped));
            capture(text.as_bytes(), "w".into(), "stderr", output, dropped).await;
        };
        let flood = "x\n".repeat(10_000);
        for (text, kind) in [
            (
                "flash_fwd: CUDA error: No kernel image is available for execution on the device",
                Some(FailureKind::NoKernelImage),
            ),
            (
                "terminate called: cudaErrorNoKernelImageForDevice",
                Some(FailureKind::NoKernelImage),
            ),
            (
                "Error while finding module: No module named 'trellis_worker'",
                Some(FailureKind::ExtensionMissing),
            ),
            ("warning: No module named 'flash_attn'", None),
            ("CUDA out of memory, so a smaller batch is tried", None),
        ] {
            read(text).await;
            assert_eq!(output.inferred_kind(), kind, "{text}");
            read(&flood).await;
            assert_eq!(output.inferred_kind(), None);
        }
        assert!(dropped.load(Ordering::Relaxed) > 9000);
    }

    proptest! {
        #[test]
        fn how_bytes_are_split_does_not_matter(bytes in prop::collection::vec(any::<u8>(), 0..300), at in any::<prop::sample::Index>()) {
            let at = at.index(bytes.len() + 1);
            let whole = Lines::default().push(&bytes);
            let mut lines = Lines::default();
            let mut parts = lines.push(&bytes[..at]);
            parts.extend(lines.push(&bytes[at..]));
            prop_assert_eq!(parts, whole);
        }
    }
}
