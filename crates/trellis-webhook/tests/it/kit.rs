//! A store with ended jobs, receivers, and a deliverer between them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use trellis_core::{JobId, JobWebhook, WebhookEvent, WebhookState};
use trellis_jobs::conformance::kit::{every_choice, new_job, outcome, worker};
use trellis_jobs::{JobStore, NewJob, SqliteStore, Webhook};
use trellis_webhook::{
    Deliverer, DeliveryObserver, DeliveryOutcome, Patience, SecretRing, Secrets, WebhookRules,
};

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Value,
    pub(crate) raw: Vec<u8>,
}

/// What it answers to its `n`th request, from 0.
pub(crate) type Answer = fn(usize) -> String;

/// A server on a port of its own.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    task: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn status(line: &str) -> String {
    format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n")
}

impl Receiver {
    /// Answers and closes; an empty answer leaves the connection open without one.
    pub(crate) async fn new(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let seen = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let seen = Arc::clone(&seen);
                tokio::spawn(async move {
                    let Some(request) = read(&mut stream).await else {
                        return;
                    };
                    let number = {
                        let mut seen = seen.lock().unwrap();
                        seen.push(request);
                        seen.len() - 1
                    };
                    let answer = answer(number);
                    let _ = stream.write_all(answer.as_bytes()).await;
                    if answer.is_empty() {
                        // Until the other side goes.
                        let _ = stream.read(&mut [0; 1]).await;
                    }
                });
            }
        });
        Self {
            address,
            requests,
            task,
        }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
    let headers: HashMap<String, String> = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers["content-length"].parse().unwrap();
    while bytes.len() < head + length {
        assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "cut short");
    }
    let raw = bytes.split_off(head);
    let body = serde_json::from_slice(&raw).unwrap();
    Some(Request { headers, body, raw })
}

#[derive(Default)]
pub(crate) struct Outcomes(Mutex<Vec<DeliveryOutcome>>);

impl DeliveryObserver for Outcomes {
    fn attempted(&self, outcome: DeliveryOutcome) {
        self.0.lock().unwrap().push(outcome);
    }
}

impl Outcomes {
    pub(crate) fn all(&self) -> Vec<DeliveryOutcome> {
        self.0.lock().unwrap().clone()
    }
}

/// A store in a folder of its own.
pub(crate) struct Place {
    _folder: TempDir,
    pub(crate) store: Arc<dyn JobStore>,
    pub(crate) outcomes: Arc<Outcomes>,
    jobs: Mutex<u32>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("jobs.db")).unwrap();
        Self {
            _folder: folder,
            store: Arc::new(store),
            outcomes: Arc::default(),
            jobs: Mutex::default(),
        }
    }

    /// A job that has ended, of which `url` is to be told.
    pub(crate) async fn ended(&self, url: &str, host: &str) -> JobId {
        let number = {
            let mut jobs = self.jobs.lock().unwrap();
            *jobs += 1;
            *jobs
        };
        let new = NewJob {
            now: Timestamp::now(),
            webhook: Some(Webhook {
                url: url.to_owned(),
                host: host.to_owned(),
                shown: url.to_owned(),
                events: WebhookEvent::FINAL.to_vec(),
            }),
            ..new_job(number)
        };
        self.store.submit(new).await.unwrap();
        let (now, lease) = (Timestamp::now(), Duration::from_secs(60));
        let claim = self.store.claim(&worker("a"), &every_choice(), now, lease).await;
        let claim = claim.unwrap().unwrap();
        self.store
            .succeed(&claim.lease, now, outcome(&claim))
            .await
            .unwrap();
        claim.lease.job
    }

    /// Delivers until the guard is dropped.
    pub(crate) fn deliver(&self, allowed: &[&str], answer: Duration) -> Delivering {
        let patience = Patience {
            connect: Duration::from_secs(5),
            answer,
        };
        let deliverer = Deliverer::new(
            Arc::clone(&self.store),
            WebhookRules::new(allowed.iter().copied()).unwrap(),
            SecretRing::new(Secrets::parse(SECRET).unwrap()),
            patience,
            self.outcomes.clone(),
        )
        .unwrap();
        let stopping = CancellationToken::new();
        let task = tokio::spawn(deliverer.run(stopping.clone()));
        Delivering {
            stopping,
            task: Some(task),
        }
    }

    /// The job's webhook once its delivery was tried.
    pub(crate) async fn tried(&self, job: JobId) -> JobWebhook {
        loop {
            let webhook = self.store.get(job).await.unwrap().webhook.unwrap();
            if webhook.problem.is_some() || webhook.state != Some(WebhookState::Pending) {
                return webhook;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

pub(crate) struct Delivering {
    stopping: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Delivering {
    pub(crate) async fn stop(mut self) {
        self.stopping.cancel();
        self.task.take().unwrap().await.unwrap();
    }
}

impl Drop for Delivering {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
