//! The parts of the picture: head, GPUs, workers, jobs, ended jobs. Each is a heading and rows of the picture's width.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::Timestamp;
use ratatui_core::style::{Color, Modifier, Style};
use ratatui_core::text::Line;
use trellis_client::{BackendStatus, ServerStatus};
use trellis_core::{Job, JobState, Progress, WorkerState, WorkerStatus, memory_size};

use super::app::App;
use super::table::{Cell, Column, cut, figure, heading, row, text};
use super::watch::Snapshot;

const PLAIN: Style = Style::new();
const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const CHOSEN: Style = Style::new().add_modifier(Modifier::REVERSED);
const GOOD: Style = Style::new().fg(Color::Green);
const BAD: Style = Style::new().fg(Color::Red);
const BUSY: Style = Style::new().fg(Color::Cyan);

/// Columns of a bar.
const BAR: usize = 10;

const GPUS: [Column; 6] = [
    text("GPUS", 0, 0),
    text("", BAR, 70),
    figure("MEMORY", 16, 0),
    figure("USED", 5, 0),
    figure("TEMP", 6, 0),
    figure("POWER", 6, 50),
];
const WORKERS: [Column; 8] = [
    text("WORKERS", 0, 0),
    text("", 9, 0),
    figure("DONE", 6, 70),
    figure("FAILED", 6, 70),
    figure("RESTARTS", 8, 0),
    figure("LOST", 4, 50),
    figure("VRAM", 9, 0),
    figure("MEMORY", 9, 60),
];
const JOBS: [Column; 6] = [
    text("  JOBS", 0, 0),
    text("ID", 12, 100),
    text("STAGE", 24, 0),
    text("", BAR, 70),
    text("BACKEND", 8, 76),
    figure("TIME", 11, 0),
];
const ENDED: [Column; 6] = [
    text("  ENDED", 20, 0),
    text("", 9, 0),
    text("BY", 8, 70),
    figure("TOOK", 9, 0),
    figure("AGO", 11, 0),
    text("", 0, 60),
];

/// A part of the picture.
pub(super) struct Section {
    /// What stands above the rows.
    pub(super) heading: Line<'static>,
    /// The rows.
    pub(super) rows: Vec<Line<'static>>,
    /// The row that must be seen.
    at: usize,
}

impl Section {
    /// So many of the rows; where that is not all of them, the last says how many more there are.
    pub(super) fn window(&self, rows: usize) -> Vec<Line<'static>> {
        if rows >= self.rows.len() {
            return self.rows.clone();
        }
        let shown = rows.saturating_sub(1);
        let first = (self.at + 1).saturating_sub(shown).min(self.rows.len() - shown);
        let mut window = self.rows[first..first + shown].to_vec();
        window.push(Line::styled(format!("  … {} more", self.rows.len() - shown), DIM));
        window
    }
}

/// Which server, what it did, how it is.
pub(super) fn head(app: &App, width: usize, now: Timestamp) -> Vec<Line<'static>> {
    let line = |words: String, style| Line::styled(cut(&words, width), style);
    let Some(seen) = &app.seen else {
        return vec![line(format!("trellis at {}: no answer yet", app.server), BOLD)];
    };
    let status = &seen.status;
    let up = span(now, status.started_at);
    let title = format!("trellis {} at {}, up {up}", status.version, app.server);
    let mut lines = vec![line(title, BOLD)];
    lines.extend(
        app.trouble(now)
            .map(|trouble| line(trouble, BAD.add_modifier(Modifier::BOLD))),
    );
    let queue = match status.jobs {
        Some(jobs) => format!(
            "queue: {} of {} waiting, {} running",
            jobs.queued, status.queue_limit, jobs.running
        ),
        None => "queue: the job database does not answer".to_owned(),
    };
    let rate = app.per_minute().map(|rate| format!("; {rate:.1} jobs a minute"));
    lines.push(line(queue + &rate.unwrap_or_default(), PLAIN));
    let since = status.since_start;
    let since = format!(
        "since its start: {} accepted, {} from the cache, {} done, {} failed, {} cancelled",
        since.accepted, since.cached, since.succeeded, since.failed, since.cancelled
    );
    lines.push(line(since, PLAIN));
    let backends: Vec<String> = status.backends.iter().map(backend).collect();
    lines.push(line(format!("backends: {}", backends.join(", ")), PLAIN));
    for backend in &status.backends {
        let words = [("", &backend.reason), ("fix: ", &backend.fix)];
        for (label, words) in words {
            let words = words
                .as_ref()
                .map(|words| format!("  {}: {label}{words}", backend.name));
            lines.extend(words.map(|words| line(words, BAD)));
        }
    }
    let lacks: BTreeSet<_> = seen.waiting.iter().filter_map(lack).collect();
    for (message, fix) in lacks {
        lines.push(line(format!("jobs wait: {message}"), BAD));
        lines.push(line(format!("  fix: {fix}"), BAD));
    }
    lines
}

/// Why no server can do a job, and what to do.
fn lack(job: &Job) -> Option<(&str, &str)> {
    let lack = job.waits_for.as_ref()?;
    Some((&lack.message, &lack.fix))
}

fn backend(backend: &BackendStatus) -> String {
    let preview = if backend.preview { " (preview)" } else { "" };
    format!("{} {}{preview}", backend.name, backend.status)
}

/// The GPUs, if there are any.
pub(super) fn gpus(status: &ServerStatus, width: usize) -> Option<Section> {
    let told = |figure: Option<String>| (figure.unwrap_or_default(), PLAIN);
    let rows = status.gpus.iter().map(|gpu| {
        let used = memory_size(gpu.memory_used_bytes);
        let used = used.trim_end_matches(" GiB");
        let cells = vec![
            (gpu.name.clone(), PLAIN),
            (bar(gpu.memory_used_bytes, gpu.memory_bytes), BUSY),
            (format!("{used} of {}", memory_size(gpu.memory_bytes)), PLAIN),
            told(gpu.utilisation_percent.map(|percent| format!("{percent} %"))),
            told(gpu.temperature_celsius.map(|celsius| format!("{celsius} °C"))),
            told(gpu.power_watts.map(|watts| format!("{watts:.0} W"))),
        ];
        row(&GPUS, width, cells)
    });
    section(&GPUS, width, rows.collect())
}

/// The workers, if there are any.
pub(super) fn workers(status: &ServerStatus, width: usize) -> Option<Section> {
    let rows = status
        .workers
        .iter()
        .flat_map(|worker| worker_rows(worker, width));
    section(&WORKERS, width, rows.collect())
}

fn worker_rows(worker: &WorkerStatus, width: usize) -> Vec<Line<'static>> {
    let counters = &worker.counters;
    let style = match worker.state {
        WorkerState::Ready => GOOD,
        WorkerState::Failed | WorkerState::Stopped => BAD,
        WorkerState::Starting | WorkerState::Loading | WorkerState::Busy | WorkerState::Draining => BUSY,
    };
    let cells = vec![
        (worker.name.clone(), PLAIN),
        (worker.state.to_string(), style),
        (counters.jobs_done.to_string(), PLAIN),
        (counters.jobs_failed.to_string(), PLAIN),
        (counters.restarts.values().sum::<u64>().to_string(), PLAIN),
        (counters.losses.to_string(), PLAIN),
        (memory_size(counters.vram_bytes), PLAIN),
        (memory_size(counters.rss_bytes), PLAIN),
    ];
    let mut rows = vec![row(&WORKERS, width, cells)];
    if !matches!(worker.state, WorkerState::Ready | WorkerState::Busy) {
        rows.push(Line::styled(cut(&format!("  {}", worker.reason), width), PLAIN));
    }
    if let Some(failure) = &worker.failure {
        rows.push(Line::styled(
            cut(&format!("  fix: {}", failure.fix), width),
            PLAIN,
        ));
    }
    rows
}

/// Jobs that run or wait.
pub(super) fn jobs(app: &App, seen: &Snapshot, width: usize, now: Timestamp) -> Option<Section> {
    let mut rows: Vec<_> = app.live().map(|job| job_row(job, app, width, now)).collect();
    let there = seen.status.jobs.map_or(0, |jobs| jobs.queued + jobs.running);
    let others = there.saturating_sub(rows.len() as u64);
    if others > 0 {
        rows.push(Line::styled(format!("  {others} not listed here"), DIM));
    }
    if rows.is_empty() {
        rows.push(Line::styled("  none runs or waits", DIM));
    }
    let mut section = section(&JOBS, width, rows)?;
    section.at = app.position().unwrap_or(0);
    Some(section)
}

fn job_row(job: &Job, app: &App, width: usize, now: Timestamp) -> Line<'static> {
    let chosen = app.chosen == Some(job.id);
    let mark = if chosen { ">" } else { " " };
    let (stage, bar) = match (job.state, job.progress) {
        (JobState::Running, Some(Progress { stage, step, total })) => {
            let words = format!("{} {step}/{total}", stage.name().replace('_', " "));
            (words, bar(step.into(), total.into()))
        }
        (JobState::Running, None) => ("begins".to_owned(), String::new()),
        _ if job.waits_for.is_some() => ("waits for a server".to_owned(), String::new()),
        _ => ("waits".to_owned(), String::new()),
    };
    let since = match job.state {
        JobState::Running => begun(job).unwrap_or(job.created_at),
        _ => job.created_at,
    };
    let cells: Vec<Cell> = vec![
        (format!("{mark} {}", label(job)), PLAIN),
        (tail(job), DIM),
        (stage, PLAIN),
        (bar, BUSY),
        (job.backend.name().to_owned(), PLAIN),
        (span(now, since), PLAIN),
    ];
    let line = row(&JOBS, width, cells);
    if chosen { line.style(CHOSEN) } else { line }
}

/// Jobs that ended, if any did.
pub(super) fn ended(seen: &Snapshot, width: usize, now: Timestamp) -> Option<Section> {
    let rows = seen.ended.iter().map(|job| {
        let style = match job.state {
            JobState::Succeeded => GOOD,
            JobState::Failed => BAD,
            JobState::Cancelled | JobState::Queued | JobState::Running => PLAIN,
        };
        let took = match begun(job) {
            _ if job.cached => "cached".to_owned(),
            Some(begun) => span(job.updated_at, begun),
            None => String::new(),
        };
        let why = job.failure.as_ref().map(|failure| failure.message.clone());
        let cells = vec![
            (format!("  {}", label(job)), PLAIN),
            (job.state.name().to_owned(), style),
            (job.made_by.clone().unwrap_or_default(), PLAIN),
            (took, PLAIN),
            (span(now, job.updated_at), PLAIN),
            (why.unwrap_or_default(), PLAIN),
        ];
        row(&ENDED, width, cells)
    });
    section(&ENDED, width, rows.collect())
}

/// A section, if it has rows.
fn section(columns: &[Column], width: usize, rows: Vec<Line<'static>>) -> Option<Section> {
    let heading = heading(columns, width, BOLD);
    (!rows.is_empty()).then_some(Section { heading, rows, at: 0 })
}

/// What a job is called, else the end of its id.
fn label(job: &Job) -> Cow<'_, str> {
    match &job.name {
        Some(name) => Cow::Borrowed(name.as_str()),
        None => Cow::Owned(tail(job)),
    }
}

/// The end of a job's id: its beginning is the time, which jobs of one minute share.
fn tail(job: &Job) -> String {
    let id = job.id.to_string();
    id.rsplit('-').next().unwrap_or_default().to_owned()
}

/// When the last attempt began, if there was one.
fn begun(job: &Job) -> Option<Timestamp> {
    let mut changes = job.history.iter().rev();
    let begun = changes.find(|change| change.state == JobState::Running)?;
    Some(begun.at)
}

/// A share as a bar.
fn bar(part: u64, whole: u64) -> String {
    let filled = part.min(whole) * BAR as u64 / whole.max(1);
    let filled = usize::try_from(filled).unwrap_or(BAR);
    "█".repeat(filled) + &"░".repeat(BAR - filled)
}

/// The time between two moments in its two largest units; none where clocks differ.
fn span(later: Timestamp, earlier: Timestamp) -> String {
    let seconds = later.duration_since(earlier).as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86400, seconds / 3600 % 24),
    }
}
