//! Carries out what the state machine says for one worker: it owns process, clocks and the job's ticket.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use trellis_core::{FailureKind, JobId, RestartKind, Stage, WorkerCommand};

use crate::admission::{fits_in_low_mode_only, too_small};
use crate::cause::{Cause, Doing};
use crate::launch::Launcher;
use crate::limits::Limits;
use crate::logs::JobLogs;
use crate::messages::{Meaning, Memory, RecordChange, meaning};
use crate::protocol::{FailedReport, FromWorker, ToWorker};
use crate::record::{Record, WorkerSnapshot};
use crate::running::Running;
use crate::state::{Action, Event, State, step};
use crate::ticket::{Ended, Queue, Ticket, Update};

/// Progress is shown this long after it was heard of at the latest: a worker may report hundreds of steps a second.
const SHOWN_AFTER: Duration = Duration::from_millis(50);

/// What a driver is made of.
pub(crate) struct Parts {
    pub(crate) launcher: Launcher,
    pub(crate) limits: Limits,
    pub(crate) queue: Queue,
    pub(crate) snapshot: watch::Sender<WorkerSnapshot>,
    pub(crate) commands: mpsc::Receiver<WorkerCommand>,
    /// Told after each change of `snapshot`.
    pub(crate) changed: Arc<watch::Sender<u64>>,
    pub(crate) closing: CancellationToken,
}

/// Drives one worker.
pub(crate) struct Driver {
    parts: Parts,
    state: State,
    running: Option<Running>,
    ticket: Option<Ticket>,
    cancel_sent: bool,
    /// How the worker said that the ticket's job ended.
    ended: Option<Ended>,
    pending: VecDeque<Event>,
    wake: Option<Instant>,
    /// Whether more is known than what was published, and when that is published.
    is_stale: bool,
    publish_at: Option<Instant>,
    record: Record,
    closed: bool,
}

impl Driver {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            record: Record::new(parts.launcher.name()),
            parts,
            state: State::Stopped,
            running: None,
            ticket: None,
            cancel_sent: false,
            ended: None,
            pending: VecDeque::from([Event::Start]),
            wake: None,
            is_stale: false,
            publish_at: None,
            closed: false,
        }
    }

    /// Runs until it is closed and its last job has ended.
    pub(crate) async fn run(mut self) {
        let mut pings = tokio::time::interval(self.parts.limits.ping_every);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !(self.closed && self.state == State::Stopped) {
            let Some(event) = self.next(&mut pings).await else {
                if self.is_stale && self.publish_at.is_none() {
                    self.publish_at = Some(Instant::now() + SHOWN_AFTER);
                }
                continue;
            };
            let before = self.state.shown();
            match &event {
                Event::Lost(cause) => self.record.loss(&self.state, cause),
                Event::Restart if self.state != State::Stopped => self.record.replaced(RestartKind::Command),
                _ => {}
            }
            let (state, actions) = step(std::mem::replace(&mut self.state, State::Stopped), event);
            self.state = state;
            match self.state {
                State::Ready => self.record.ready(),
                State::Stopped => self.record.stopped(),
                _ => {}
            }
            // Before anybody hears of what follows, such as the end of a job.
            self.publish();
            for action in actions {
                self.act(action).await;
            }
            if self.state.shown() != before {
                info!(worker = %self.record.name, from = %before, to = %self.state.shown(), "worker_state");
            }
            self.publish();
        }
    }

    /// Waits for what happens next; `None` where it changes nothing but what is shown, if that.
    async fn next(&mut self, pings: &mut tokio::time::Interval) -> Option<Event> {
        if let Some(event) = self.pending.pop_front() {
            return Some(event);
        }
        let is_ready = self.state == State::Ready;
        let stop_wanted = self.ticket.as_ref().filter(|_| !self.cancel_sent);
        let deadline = self
            .running
            .as_ref()
            .map(|running| running.clocks.deadline(&self.parts.limits));
        let (wake, publish_at) = (self.wake, self.publish_at);
        tokio::select! {
            biased;
            () = self.parts.closing.cancelled(), if !self.closed => {
                self.closed = true;
                Some(Event::Drain)
            }
            Some(command) = self.parts.commands.recv() => Some(match command {
                WorkerCommand::Restart => Event::Restart,
                WorkerCommand::Drain => Event::Drain,
            }),
            message = received(&mut self.running) => match message {
                Ok(message) => self.take(message),
                Err(cause) => Some(Event::Lost(cause)),
            },
            () = at(deadline.as_ref().map(|(at, _)| *at)) => deadline.map(|(_, cause)| Event::Lost(cause)),
            () = at(wake) => {
                self.wake = None;
                Some(Event::WaitOver)
            }
            () = at(publish_at) => {
                self.publish();
                None
            }
            () = unwanted(stop_wanted) => {
                self.cancel_sent = true;
                Some(Event::Cancel)
            }
            ticket = self.parts.queue.next(), if is_ready && !self.closed => {
                let job = ticket.task.job;
                ticket.tell(Update::Taken);
                self.ticket = Some(ticket);
                self.cancel_sent = false;
                Some(Event::Assigned(job))
            }
            _ = pings.tick() => {
                if let Some(running) = &mut self.running
                    && let Err(cause) = running.ping().await
                {
                    return Some(Event::Lost(cause));
                }
                self.is_stale = true;
                None
            }
        }
    }

    /// Carries out what a message means, up to the event that it is.
    fn take(&mut self, message: FromWorker) -> Option<Event> {
        let Meaning {
            event,
            update,
            change,
        } = meaning(message, self.state.job());
        let recycle = change.is_some_and(|change| self.note(change));
        if let Some(update) = update {
            self.tell(update);
        }
        self.is_stale = true;
        match event {
            Some(Event::Ended { job, replace }) => {
                if replace {
                    self.record.replaced(RestartKind::Doubt);
                }
                Some(Event::Ended {
                    job,
                    replace: replace || recycle,
                })
            }
            event => event,
        }
    }

    /// Keeps what a message says of its worker. Whether its process is to be replaced.
    fn note(&mut self, change: RecordChange) -> bool {
        let worker = Arc::clone(&self.record.name);
        match change {
            RecordChange::Installed(versions, gpu) => {
                info!(%worker, ?versions, ?gpu, "worker_hello");
                let driver = self.parts.launcher.driver.clone();
                self.record.installed(versions, gpu, driver);
            }
            RecordChange::Doing(doing, text) => {
                self.record.doing = text;
                self.progress(doing);
            }
            RecordChange::Loaded {
                load_ms,
                vram_bytes,
                low_vram,
                determinism,
            } => {
                info!(%worker, load_ms, vram_bytes, low_vram, ?determinism, "worker_loaded");
                self.record.counters.vram_bytes = vram_bytes;
                if let Some(running) = &mut self.running {
                    running.clocks.idle(Instant::now());
                }
            }
            RecordChange::Holds(memory) => self.record.holds(memory),
            RecordChange::Done(report) => {
                let memory = report.memory;
                self.ended = Some(Ended::Done(self.record.finished(report)));
                return self.should_recycle(Some(memory));
            }
            RecordChange::Failed(job, report) => {
                self.record.counters.jobs_failed += 1;
                warn!(%worker, %job, kind = report.kind.name(), causes = ?report.causes,
                    traceback = report.traceback, "worker_job_failed");
                self.ended = Some(Ended::Failed(report));
                return self.should_recycle(None);
            }
            RecordChange::Cancelled => self.ended = Some(Ended::Cancelled),
        }
        false
    }

    fn should_recycle(&mut self, held: Option<Memory>) -> bool {
        let limits = &self.parts.limits;
        self.running
            .as_mut()
            .is_some_and(|running| self.record.should_recycle(limits, running, held))
    }

    /// It got on with something.
    fn progress(&mut self, doing: Doing) {
        if let Some(running) = &mut self.running {
            running.clocks.progress(doing, Instant::now());
        }
    }

    /// Tells the job's caller.
    fn tell(&self, update: Update) {
        if let Some(ticket) = &self.ticket {
            ticket.tell(update);
        }
    }

    async fn act(&mut self, action: Action) {
        match action {
            Action::Spawn => self.spawn().await,
            Action::Load => {
                self.progress(Doing::Load);
                let load = self.parts.launcher.load(self.record.low_vram);
                self.send(load).await;
            }
            Action::Generate(job) => self.generate(job).await,
            Action::Cancel(job) => {
                if let Some(running) = &mut self.running {
                    running.clocks.cancelled(Instant::now());
                }
                self.send(ToWorker::Cancel { job }).await;
            }
            Action::Finish(_) => {
                let ended = self.ended.take().unwrap_or(Ended::Lost(Cause::NotReady));
                self.end_job(ended);
            }
            Action::HandBack(_, cause) => {
                self.ended = None;
                self.end_job(Ended::Lost(cause));
            }
            Action::Kill => {
                if let Some(running) = self.running.take() {
                    running.kill().await;
                }
            }
            Action::Shutdown => {
                if let Some(running) = self.running.take() {
                    running.shut_down(self.parts.limits.shutdown).await;
                }
            }
            Action::Wait { failures } => {
                let wait = self.parts.limits.wait(failures, rand::random());
                self.wake = Some(Instant::now() + wait);
                self.record.doing = format!("next start in {:.1} s", wait.as_secs_f64());
            }
        }
    }

    async fn generate(&mut self, job: JobId) {
        let Some(task) = self.ticket.as_ref().map(|ticket| ticket.task.clone()) else {
            return;
        };
        if let Some(running) = &mut self.running {
            running.set_job(Some(JobLogs::of(job, task.traceparent)));
        }
        let memory_bytes = self.parts.launcher.memory_bytes();
        if let Some(message) = memory_bytes.and_then(|bytes| too_small(&task.params, bytes)) {
            self.ended = Some(Ended::Failed(FailedReport {
                kind: FailureKind::GpuOutOfMemory,
                message,
                causes: Vec::new(),
                traceback: String::new(),
                replace: false,
            }));
            self.pending.push_back(Event::Ended { job, replace: false });
            return;
        }
        self.progress(Doing::Stage(Stage::Preprocess));
        let is_tight = memory_bytes.is_some_and(|bytes| fits_in_low_mode_only(&task.params, bytes));
        self.record.low_vram = task.low_vram || is_tight || self.record.started_low;
        let message = ToWorker::Generate {
            job,
            pictures: task.pictures,
            out: task.out,
            params: task.params,
            low_vram: self.record.low_vram,
            traceparent: task.traceparent,
            latents: task.latents,
            keep_latents: task.keep_latents,
            mesh: task.mesh,
        };
        self.send(message).await;
    }

    fn end_job(&mut self, ended: Ended) {
        if let Some(ticket) = self.ticket.take() {
            ticket.tell(Update::Ended(ended));
        }
        if let Some(running) = &mut self.running {
            running.set_job(None);
            running.clocks.idle(Instant::now());
        }
    }

    async fn spawn(&mut self) {
        self.wake = None;
        let record = &mut self.record;
        record.started();
        let launcher = &self.parts.launcher;
        let started = match launcher.admit(record.lower).await {
            Ok(low_vram) => {
                record.low_vram = low_vram;
                record.started_low = low_vram;
                let (name, dropped) = (Arc::clone(&record.name), Arc::clone(&record.dropped));
                let started = Running::start(launcher.launch(), name, dropped).await;
                started.map_err(|error| Cause::Spawn {
                    reason: error.to_string(),
                })
            }
            Err(cause) => Err(cause),
        };
        match started {
            Ok(running) => self.running = Some(running),
            Err(cause) => self.pending.push_back(Event::Lost(cause)),
        }
    }

    async fn send(&mut self, message: ToWorker) {
        let Some(running) = &mut self.running else { return };
        if let Err(cause) = running.send(&message).await {
            self.pending.push_back(Event::Lost(cause));
        }
    }

    fn publish(&mut self) {
        self.is_stale = false;
        self.publish_at = None;
        let pid = self.running.as_ref().map(Running::pid);
        let gpu = self.parts.launcher.gpu();
        let snapshot = self.record.snapshot(&self.state, &self.parts.limits, gpu, pid);
        self.parts.snapshot.send_replace(snapshot);
        self.parts
            .changed
            .send_modify(|changes| *changes = changes.wrapping_add(1));
    }
}

async fn received(running: &mut Option<Running>) -> Result<FromWorker, Cause> {
    match running {
        Some(running) => running.receive().await,
        None => std::future::pending().await,
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

async fn unwanted(ticket: Option<&Ticket>) {
    match ticket {
        Some(ticket) => ticket.unwanted().await,
        None => std::future::pending().await,
    }
}
