//! Tells the other servers of changes, and hears of theirs, over one connection: `NOTIFY` and `LISTEN`.
//!
//! A hint for speed only, sent after the commit and apart from it: whoever notifies in a transaction makes all commits of
//! the database wait for each other. Hints that wait are sent together. After a connection was lost, everybody who waits
//! looks again.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::{StreamExt as _, stream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_postgres::{AsyncMessage, Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};
use trellis_core::{JobId, JobState};
use trellis_jobs::{Seen, StoreError, Wake, Wakes};

use crate::error::failed;

const CHANNEL: &str = "trellis_jobs";
/// As many hints are sent together at most.
const TOGETHER: usize = 256;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The way to the others. The task behind it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Herald {
    /// Tells our own hints from those of others.
    name: String,
    tell: mpsc::UnboundedSender<String>,
}

/// What the task needs.
struct Listener {
    name: String,
    config: Config,
    tls: MakeRustlsConnect,
    told: mpsc::UnboundedReceiver<String>,
    /// Taken from there, and perhaps not sent.
    unsent: Vec<String>,
    wakes: Weak<Wakes>,
    /// Changes where something may have been missed.
    elsewhere: watch::Sender<u64>,
}

impl Herald {
    /// Starts it; returns once it hears.
    pub(crate) async fn start(
        config: Config,
        tls: MakeRustlsConnect,
    ) -> Result<(Self, Arc<Wakes>), StoreError> {
        let (tell, told) = mpsc::unbounded_channel();
        let (elsewhere, seen) = watch::channel(0);
        let wakes = Wakes::new(seen);
        let name = format!("{:016x}", rand::random::<u64>());
        let listener = Listener {
            name: name.clone(),
            config,
            tls,
            told,
            unsent: Vec::new(),
            wakes: Arc::downgrade(&wakes),
            elsewhere,
        };
        let (ready, is_ready) = oneshot::channel();
        tokio::spawn(listener.run(ready));
        let gone = |_| StoreError::Unavailable {
            source: "the task that hears of changes has ended".into(),
        };
        is_ready.await.map_err(gone)??;
        Ok((Self { name, tell }, wakes))
    }

    /// Has the others told.
    pub(crate) fn tell(&self, wake: Wake) {
        // Without the task the others look by themselves.
        let _ = self.tell.send(written(&self.name, wake));
    }
}

impl Listener {
    async fn run(mut self, ready: oneshot::Sender<Result<(), StoreError>>) {
        let mut ready = Some(ready);
        let mut pause = FIRST_PAUSE;
        loop {
            match self.connect().await {
                Ok((client, heard, driver)) => {
                    let first = ready.take();
                    if first.is_none() {
                        info!("changes of other servers are heard of again");
                        self.elsewhere
                            .send_modify(|version| *version = version.wrapping_add(1));
                    }
                    let _ = first.map(|first| first.send(Ok(())));
                    pause = FIRST_PAUSE;
                    if self.work(&client, heard).await.is_break() {
                        return;
                    }
                    drop(driver);
                    warn!("the connection that hears of other servers' changes was lost");
                }
                Err(error) => match ready.take() {
                    Some(first) => {
                        let _ = first.send(Err(error));
                        return;
                    }
                    None => {
                        warn!(
                            error = &error as &dyn std::error::Error,
                            "changes of other servers are not heard of"
                        );
                    }
                },
            }
            tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            if self.told.is_closed() {
                return;
            }
        }
    }

    async fn connect(
        &self,
    ) -> Result<(Client, mpsc::UnboundedReceiver<String>, AbortOnDropHandle<()>), StoreError> {
        let connected = self.config.connect(self.tls.clone()).await;
        let (client, mut connection) = connected.map_err(|error| failed(&error))?;
        let (hear, heard) = mpsc::unbounded_channel();
        let driver = async move {
            let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
            while let Some(Ok(message)) = messages.next().await {
                if let AsyncMessage::Notification(note) = message
                    && hear.send(note.payload().to_owned()).is_err()
                {
                    return;
                }
            }
        };
        let driver = AbortOnDropHandle::new(tokio::spawn(driver));
        let listen = format!("SET synchronous_commit = off; LISTEN {CHANNEL}");
        client
            .batch_execute(&listen)
            .await
            .map_err(|error| failed(&error))?;
        Ok((client, heard, driver))
    }

    /// Tells and hears until the connection breaks; breaks where the store is gone.
    async fn work(
        &mut self,
        client: &Client,
        mut heard: mpsc::UnboundedReceiver<String>,
    ) -> std::ops::ControlFlow<()> {
        use std::ops::ControlFlow::{Break, Continue};
        if !self.unsent.is_empty() && send(client, &self.unsent).await.is_err() {
            return Continue(());
        }
        self.unsent.clear();
        loop {
            tokio::select! {
                note = heard.recv() => match (note, self.wakes.upgrade()) {
                    (Some(note), Some(wakes)) => drop(wakes.when_dropped(read(&self.name, &note))),
                    (None, _) => return Continue(()),
                    (_, None) => return Break(()),
                },
                told = self.told.recv_many(&mut self.unsent, TOGETHER) => {
                    if told == 0 {
                        return Break(());
                    }
                    self.unsent.sort_unstable();
                    self.unsent.dedup();
                    if send(client, &self.unsent).await.is_err() {
                        // Once it is connected again.
                        return Continue(());
                    }
                    self.unsent.clear();
                }
            }
        }
    }
}

async fn send(client: &Client, notes: &[String]) -> Result<(), tokio_postgres::Error> {
    let notify = "SELECT pg_notify($1, note) FROM unnest($2::text[]) AS note";
    client.query(notify, &[&CHANNEL, &notes]).await.map(|_| ())
}

/// `SENDER JOB STATE ATTEMPT DELIVERS`, with `-` for a job that is forgotten.
fn written(name: &str, Wake { job, seen, delivers }: Wake) -> String {
    let (state, attempt) = seen.map_or(("-", 0), |seen| (seen.state.name(), seen.attempt));
    format!("{name} {job} {state} {attempt} {}", u8::from(delivers))
}

/// What a note wakes; nothing where it is our own or that of a version that writes others.
fn read(name: &str, note: &str) -> Option<Wake> {
    let mut words = note.split(' ');
    if words.next()? == name {
        return None;
    }
    let job: JobId = words.next()?.parse().ok()?;
    let state = words.next()?;
    let attempt = words.next()?.parse().ok()?;
    let seen = match state {
        "-" => None,
        state => Some(Seen {
            state: state.parse::<JobState>().ok()?,
            attempt,
        }),
    };
    let delivers = words.next()? == "1";
    Some(Wake { job, seen, delivers })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_written_by_everybody_but_its_sender() {
        let job: JobId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let seen = Some(Seen {
            state: JobState::Running,
            attempt: 3,
        });
        for (seen, delivers) in [(seen, true), (seen, false), (None, false)] {
            let note = written("a", Wake { job, seen, delivers });
            assert!(read("a", &note).is_none());
            let wake = read("b", &note).unwrap();
            assert_eq!((wake.job, wake.seen, wake.delivers), (job, seen, delivers));
        }
        for odd in [
            "",
            "b",
            "b x running 1 0",
            "b 01890a5d-ac96-774b-bcce-b302099a8057 asleep 1 0",
        ] {
            assert!(read("a", odd).is_none(), "{odd}");
        }
    }
}
