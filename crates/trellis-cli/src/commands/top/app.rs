//! What is shown and what keys do to it. Pure: no terminal, no clock, no server.

use std::collections::VecDeque;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use jiff::{SignedDuration, Timestamp};
use trellis_client::ClientError;
use trellis_core::{Job, JobId, plain_line};

use super::watch::{Message, Snapshot};

/// The throughput is that of the last minute.
const MINUTE: SignedDuration = SignedDuration::from_secs(60);
/// An answer this old is no longer how things stand.
const STALE: SignedDuration = SignedDuration::from_secs(3);
/// For how long a notice stays.
const NOTICE: SignedDuration = SignedDuration::from_secs(10);
/// The longest notice, in characters.
const LONGEST: usize = 300;

/// What a key asks of the world outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// End the view.
    End,
    /// Cancel this job.
    Cancel(JobId),
}

/// What the keys are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// The picture.
    Watch,
    /// The list of keys.
    Help,
    /// The question whether to cancel this job.
    Confirm(JobId),
}

/// Everything that a picture is made of.
#[derive(Debug)]
pub(super) struct App {
    /// The server's address.
    pub(super) server: String,
    /// What the server told last.
    pub(super) seen: Option<Snapshot>,
    /// What the keys are about.
    pub(super) mode: Mode,
    /// The chosen job.
    pub(super) chosen: Option<JobId>,
    /// When the last answer came.
    answered_at: Timestamp,
    /// Why there was none since.
    trouble: Option<String>,
    /// Something that happened, and when.
    notice: Option<(Timestamp, String)>,
    /// Jobs ended since the server's start, at moments of the last minute.
    ended: VecDeque<(Timestamp, u64)>,
}

impl App {
    /// Nothing known yet of the server at this address.
    pub(super) fn new(server: &str) -> Self {
        Self {
            server: plain_line(server, LONGEST),
            seen: None,
            mode: Mode::Watch,
            chosen: None,
            answered_at: Timestamp::UNIX_EPOCH,
            trouble: None,
            notice: None,
            ended: VecDeque::new(),
        }
    }

    /// Takes news in.
    pub(super) fn take(&mut self, message: Message, now: Timestamp) {
        match message {
            Message::Seen(seen) => self.see(*seen, now),
            Message::NoAnswer(error) => {
                let why = match error {
                    ClientError::Unreachable { reason, .. } => reason,
                    other => other.to_string(),
                };
                self.trouble = Some(plain_line(&why, LONGEST));
            }
            Message::Said(said) => self.notice = Some((now, plain_line(&said, LONGEST))),
            Message::Progress(id, progress) => {
                let running = self.seen.as_mut().map(|seen| &mut seen.running);
                if let Some(job) = running.and_then(|jobs| jobs.iter_mut().find(|job| job.id == id)) {
                    job.progress = Some(progress);
                }
            }
        }
    }

    fn see(&mut self, seen: Snapshot, now: Timestamp) {
        let before = self.seen.as_ref().map(|seen| seen.status.started_at);
        if before.is_some_and(|before| before != seen.status.started_at) {
            self.notice = Some((now, "the server was restarted".to_owned()));
            self.ended.clear();
        }
        let since = seen.status.since_start;
        self.ended.push_back((now, since.succeeded + since.failed));
        // One that is older stays, or there would be no difference over the whole minute.
        while self
            .ended
            .get(1)
            .is_some_and(|(at, _)| now.duration_since(*at) >= MINUTE)
        {
            self.ended.pop_front();
        }
        self.trouble = None;
        self.answered_at = now;
        self.seen = Some(seen);
        if let Mode::Confirm(id) = self.mode
            && !self.live().any(|job| job.id == id)
        {
            self.mode = Mode::Watch;
            self.notice = Some((now, format!("{id} ended before it could be cancelled")));
        }
        if self.position().is_none() {
            self.chosen = None;
        }
    }

    /// What a key does.
    pub(super) fn press(&mut self, key: KeyEvent) -> Option<Wish> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return Some(Wish::End);
        }
        match (self.mode, key.code) {
            (Mode::Confirm(id), KeyCode::Char('y')) => {
                self.mode = Mode::Watch;
                return Some(Wish::Cancel(id));
            }
            (Mode::Confirm(_) | Mode::Help, _) => self.mode = Mode::Watch,
            (Mode::Watch, KeyCode::Char('q') | KeyCode::Esc) => return Some(Wish::End),
            (Mode::Watch, KeyCode::Char('?')) => self.mode = Mode::Help,
            (Mode::Watch, KeyCode::Up | KeyCode::Char('k')) => self.choose(-1),
            (Mode::Watch, KeyCode::Down | KeyCode::Char('j')) => self.choose(1),
            (Mode::Watch, KeyCode::Char('c')) => {
                if let Some(id) = self.chosen {
                    self.mode = Mode::Confirm(id);
                }
            }
            (Mode::Watch, _) => {}
        }
        None
    }

    /// Jobs that can be chosen: running ones, then waiting ones.
    pub(super) fn live(&self) -> impl Iterator<Item = &Job> {
        let lists = self
            .seen
            .as_ref()
            .map(|seen| seen.running.iter().chain(&seen.waiting));
        lists.into_iter().flatten()
    }

    /// Where the chosen job stands among [`Self::live`].
    pub(super) fn position(&self) -> Option<usize> {
        let chosen = self.chosen?;
        self.live().position(|job| job.id == chosen)
    }

    fn choose(&mut self, step: isize) {
        let jobs: Vec<JobId> = self.live().map(|job| job.id).collect();
        let next = match self.position() {
            Some(position) => position
                .saturating_add_signed(step)
                .min(jobs.len().saturating_sub(1)),
            None => 0,
        };
        self.chosen = jobs.get(next).copied();
    }

    /// What is wrong with the connection, if anything is.
    pub(super) fn trouble(&self, now: Timestamp) -> Option<String> {
        let silent = now.duration_since(self.answered_at);
        let last = format!("last answer {} s ago, asking again", silent.as_secs());
        match &self.trouble {
            Some(why) => Some(format!("{last}: {why}")),
            None => (silent > STALE).then_some(last),
        }
    }

    /// Something that happened a moment ago.
    pub(super) fn notice(&self, now: Timestamp) -> Option<&str> {
        let (at, text) = self.notice.as_ref()?;
        (now.duration_since(*at) < NOTICE).then_some(text)
    }

    /// Jobs that ended within a minute, once there are two moments to compare.
    pub(super) fn per_minute(&self) -> Option<f64> {
        let ((first, before), (last, after)) = (self.ended.front()?, self.ended.back()?);
        let seconds = last.duration_since(*first).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let ended = after.saturating_sub(*before) as f64;
        (seconds > 0.0).then(|| ended * 60.0 / seconds)
    }
}
