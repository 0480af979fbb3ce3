//! Times the stages of a job by its progress reports.

use std::time::Instant;

use trellis_core::{Progress, Stage, StageTime, Timings};

/// The clock of one job. A stage lasts until the next one begins or [`Self::stop`] is called.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    stages: Vec<StageTime>,
    current: Stage,
    since: Instant,
}

impl Stopwatch {
    /// Starts in `stage` at `now`.
    pub(crate) fn start(stage: Stage, now: Instant) -> Self {
        Self {
            stages: Vec::new(),
            current: stage,
            since: now,
        }
    }

    /// Hears a report that came at `now`.
    pub(crate) fn hear(&mut self, progress: Progress, now: Instant) {
        if progress.stage != self.current {
            self.close(now);
            self.current = progress.stage;
        }
    }

    /// Ends the last stage.
    pub(crate) fn stop(mut self, now: Instant) -> Timings {
        self.close(now);
        Timings {
            stages: self.stages,
            peak_vram_bytes: None,
        }
    }

    fn close(&mut self, now: Instant) {
        let ms = now.saturating_duration_since(self.since).as_millis();
        self.since = now;
        self.stages.push(StageTime {
            stage: self.current,
            ms: u64::try_from(ms).unwrap_or(u64::MAX),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_stage_lasts_until_the_next_begins() {
        let began = Instant::now();
        let at = |ms| began + Duration::from_millis(ms);
        let report = |stage, step| Progress {
            stage,
            step,
            total: 1,
        };
        let mut watch = Stopwatch::start(Stage::Preprocess, began);
        watch.hear(report(Stage::Preprocess, 0), at(5));
        watch.hear(report(Stage::Preprocess, 1), at(20));
        watch.hear(report(Stage::Texture, 0), at(21));
        watch.hear(report(Stage::Texture, 1), at(50));
        let timings = watch.stop(at(60));
        let expected = [(Stage::Preprocess, 21), (Stage::Texture, 39)];
        assert_eq!(
            timings.stages,
            expected.map(|(stage, ms)| StageTime { stage, ms })
        );
        assert_eq!(timings.peak_vram_bytes, None);
    }
}
