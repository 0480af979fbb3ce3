//! Asks the server once a second, and follows the events of running jobs in between.
//!
//! Not here: what is shown of it (`app.rs`).

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tokio::task::AbortHandle;
use trellis_client::{Client, ClientError, JobCounts, ServerStatus, SinceStart};
use trellis_core::{EventKind, Job, JobId, JobState, Progress};

/// How often the server is asked.
const EVERY: Duration = Duration::from_secs(1);
/// The most jobs of one state that are shown.
const JOBS: u32 = 100;
/// The most jobs of each way to end.
const ENDED: u32 = 20;
/// The most running jobs that are followed; the progress of others is asked for.
const FOLLOWED: usize = 16;

/// What the server told at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Snapshot {
    /// The server itself.
    pub(super) status: ServerStatus,
    /// Running jobs of this key, the first submitted first.
    pub(super) running: Vec<Job>,
    /// Waiting ones, the first submitted first; of more than [`JOBS`] the newest.
    pub(super) waiting: Vec<Job>,
    /// Ended ones, the last end first.
    pub(super) ended: Vec<Job>,
}

/// News for the screen.
#[derive(Debug)]
pub(super) enum Message {
    /// The server answered.
    Seen(Box<Snapshot>),
    /// It did not.
    NoAnswer(ClientError),
    /// A job went on.
    Progress(JobId, Progress),
    /// What became of a wish to cancel a job.
    Said(String),
}

/// Asks for everything once.
pub(super) async fn look(client: &Client) -> Result<Snapshot, ClientError> {
    let status = client.status().await?;
    let (running, (waiting, ended)) = tokio::try_join!(live(client, JobState::Running), rest(client))?;
    Ok(Snapshot {
        status,
        running,
        waiting,
        ended,
    })
}

/// Asks every second, for as long as somebody listens.
pub(super) async fn watch(client: Client, news: Sender<Message>) {
    let mut last: Option<Snapshot> = None;
    let mut followed = Followed::default();
    loop {
        tokio::time::sleep(EVERY).await;
        let message = match again(&client, last.as_ref()).await {
            Ok(seen) => {
                followed.only(&seen.running, &client, &news);
                last = Some(seen.clone());
                Message::Seen(Box::new(seen))
            }
            Err(error) => Message::NoAnswer(error),
        };
        if news.send(message).await.is_err() {
            return;
        }
    }
}

/// Cancels a job, unless it ends before.
pub(super) async fn cancel(client: Client, id: JobId, news: Sender<Message>) {
    let said = match client.cancel(id).await {
        Ok(job) if job.state == JobState::Cancelled => format!("{id} is cancelled"),
        Ok(_) => format!("{id} ended before it could be cancelled"),
        Err(error) => format!("{id} is not cancelled: {error}"),
    };
    // Nobody listens any more where the view has ended.
    let _ = news.send(Message::Said(said)).await;
}

/// Asks again: for waiting and ended jobs only where a count says that something happened to them, or other backends can
/// work now.
async fn again(client: &Client, last: Option<&Snapshot>) -> Result<Snapshot, ClientError> {
    let Some(last) = last else {
        return look(client).await;
    };
    let status = client.status().await?;
    if counts(&status) != counts(&last.status) || status.backends != last.status.backends {
        return look(client).await;
    }
    let running = live(client, JobState::Running).await?;
    Ok(Snapshot {
        status,
        running,
        waiting: last.waiting.clone(),
        ended: last.ended.clone(),
    })
}

fn counts(status: &ServerStatus) -> (jiff::Timestamp, Option<JobCounts>, SinceStart) {
    (status.started_at, status.jobs, status.since_start)
}

async fn rest(client: &Client) -> Result<(Vec<Job>, Vec<Job>), ClientError> {
    let (waiting, succeeded, failed, cancelled) = tokio::try_join!(
        live(client, JobState::Queued),
        client.jobs(JobState::Succeeded, ENDED),
        client.jobs(JobState::Failed, ENDED),
        client.jobs(JobState::Cancelled, ENDED),
    )?;
    let mut ended = [succeeded, failed, cancelled].concat();
    ended.sort_by_key(|job| std::cmp::Reverse(job.updated_at));
    Ok((waiting, ended))
}

async fn live(client: &Client, state: JobState) -> Result<Vec<Job>, ClientError> {
    let mut jobs = client.jobs(state, JOBS).await?;
    jobs.reverse();
    Ok(jobs)
}

/// The streams that are open.
#[derive(Debug, Default)]
struct Followed(HashMap<JobId, AbortHandle>);

impl Followed {
    /// Follows these jobs and no others.
    fn only(&mut self, running: &[Job], client: &Client, news: &Sender<Message>) {
        self.0.retain(|id, stream| {
            let runs = running.iter().any(|job| job.id == *id) && !stream.is_finished();
            if !runs {
                stream.abort();
            }
            runs
        });
        for job in running.iter().take(FOLLOWED) {
            let id = job.id;
            self.0.entry(id).or_insert_with(|| {
                let (client, news) = (client.clone(), news.clone());
                let stream = tokio::spawn(async move {
                    let tell = |event: &trellis_core::JobEvent| {
                        if let EventKind::Progress(progress) = event.kind {
                            // What finds no room is asked for within a second.
                            let _ = news.try_send(Message::Progress(id, progress));
                        }
                    };
                    // A stream that breaks for good is opened again with the next answer.
                    let _ = client.follow(id, tell).await;
                });
                stream.abort_handle()
            });
        }
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.0.values().for_each(AbortHandle::abort);
    }
}
