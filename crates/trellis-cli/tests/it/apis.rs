//! Several servers that take requests for the same jobs: what one has accepted, the others answer for.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::sync::mpsc::{Receiver, channel};

use crate::kit::client::Client;
use crate::kit::picture;
use crate::kit::server::Server;
use crate::rack::{Rack, borrowed};

fn write(path: &Path, text: &str) -> String {
    fs::write(path, text).expect("a file of secrets");
    fs::set_permissions(path, Permissions::from_mode(0o600)).expect("its mode");
    path.display().to_string()
}

/// A message of a webhook: its name, and the job that it is about.
type Message = (String, String);

/// A receiver on a port of its own. It does not answer while `hangs`.
async fn receiver(hangs: Arc<AtomicBool>) -> (String, Receiver<Message>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("loopback");
    let address = listener.local_addr().expect("it is bound");
    let (send, receive) = channel(99);
    let take = move |headers: HeaderMap, Json(body): Json<Value>| {
        let id = headers["webhook-id"].to_str().expect("ASCII").to_owned();
        let job = body["data"]["job"].as_str().expect("a job").to_owned();
        let (send, hangs) = (send.clone(), hangs.clone());
        async move {
            send.send((id, job)).await.expect("the test listens");
            if hangs.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            StatusCode::NO_CONTENT
        }
    };
    let app = Router::new().route("/", post(take));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (format!("http://{address}/"), receive)
}

/// Servers that take requests and send messages to this machine.
struct Apis {
    rack: Rack,
    flags: Vec<String>,
    url: String,
    told: Receiver<Message>,
    hangs: Arc<AtomicBool>,
}

impl Apis {
    async fn new() -> Option<Self> {
        let rack = Rack::new()?;
        let secret = write(
            &rack.place.path().join("secret"),
            "whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
        );
        let mut flags = rack.flags("api");
        flags.extend(["--webhooks-allow", "127.0.0.1", "--webhooks-secret-file"].map(str::to_owned));
        flags.push(secret);
        let hangs = Arc::new(AtomicBool::new(false));
        let (url, told) = receiver(hangs.clone()).await;
        Some(Self {
            rack,
            flags,
            url,
            told,
            hangs,
        })
    }

    fn start(&self, name: &str) -> (Server, Client) {
        let server = Server::start(&self.rack.home(name), &borrowed(&self.flags));
        let client = Client::new(&server.address);
        (server, client)
    }

    /// Submits a job that the receiver is to be told of.
    async fn submit(&self, client: &Client, n: u8) -> String {
        let form = |form: reqwest::multipart::Form| form.text("webhook", self.url.clone());
        let sent = client
            .submit_form(picture::png(64, n), &format!("job-{n}"), form)
            .await;
        let job: Value = sent.expect("an answer").json().await.expect("JSON");
        job["id"].as_str().expect("it is accepted").to_owned()
    }

    async fn told(&mut self) -> Message {
        let told = tokio::time::timeout(Duration::from_secs(60), self.told.recv()).await;
        told.expect("a message comes").expect("the receiver runs")
    }
}

async fn is_delivered(client: &Client, job: &str) {
    let delivered = |job: &Value| job["webhook"]["state"] == "delivered";
    client.until(&format!("jobs/{job}"), delivered).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_sent_once_by_whichever_server_is_left() {
    let Some(mut apis) = Apis::new().await else { return };
    let (first, client) = apis.start("api-1");
    let job = apis.submit(&client, 48).await;
    let (_second, client) = apis.start("api-2");
    first.kill();
    let _worker = apis.rack.cpu("cpu");
    let (name, of) = apis.told().await;
    assert_eq!(of, job);
    is_delivered(&client, &job).await;

    // While both are there either of them sends, and not both.
    let (_third, other) = apis.start("api-3");
    let mut jobs = BTreeSet::new();
    for n in 50..56 {
        let api = [&client, &other][usize::from(n) % 2];
        jobs.insert(apis.submit(api, n).await);
    }
    let mut names = BTreeSet::from([name]);
    let mut told = BTreeSet::new();
    for _ in 0..jobs.len() {
        let (name, of) = apis.told().await;
        assert!(names.insert(name) && told.insert(of), "a message came twice");
    }
    assert_eq!(told, jobs);
    for job in &jobs {
        is_delivered(&other, job).await;
    }
    assert_eq!(apis.rack.ask("SELECT count(*) FROM trellis.deliveries"), "0");
    assert!(apis.told.try_recv().is_err(), "a message came twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_sender_died_on_the_way_comes_again_under_its_name() {
    let Some(mut apis) = Apis::new().await else { return };
    let _worker = apis.rack.cpu("cpu");
    apis.hangs.store(true, Ordering::Relaxed);
    let (first, client) = apis.start("api-1");
    let job = apis.submit(&client, 48).await;
    let (name, of) = apis.told().await;
    assert_eq!(of, job);
    first.kill();
    apis.hangs.store(false, Ordering::Relaxed);
    // A minute later another one may take it; that minute is over.
    apis.rack.ask("UPDATE trellis.deliveries SET due_at = 0");
    let (_second, client) = apis.start("api-2");
    assert_eq!(apis.told().await, (name, job.clone()));
    is_delivered(&client, &job).await;
    assert!(apis.told.try_recv().is_err(), "a message came twice");
}

/// Requests that arrive at two servers at the same moment.
#[tokio::test(flavor = "multi_thread")]
async fn names_of_requests_and_limits_of_keys_hold_over_all_servers() {
    let Some(rack) = Rack::new() else { return };
    let keys = write(
        &rack.place.path().join("keys"),
        "studio the-first-of-them queued=3\nother the-second-of-them\n",
    );
    let mut flags = rack.flags("api");
    flags.extend(["--auth-keys-file".to_owned(), keys]);
    let servers = ["api-1", "api-2"].map(|name| Server::start(&rack.home(name), &borrowed(&flags)));
    let with = |key| {
        servers
            .each_ref()
            .map(|server| Client::with_key(&server.address, key))
    };
    let [one, two] = with("the-first-of-them");

    let same = (0..8).map(|n| [&one, &two][n % 2].accepted(picture::png(64, 48), "same"));
    let same: BTreeSet<String> = futures::future::join_all(same).await.into_iter().collect();
    assert_eq!(same.len(), 1, "one name, one job");

    let many = (0..8u8).map(|n| {
        let client = [&one, &two][usize::from(n) % 2];
        async move { client.submit(picture::png(64, 50 + n), &format!("job-{n}")).await }
    });
    let answers = futures::future::join_all(many).await;
    let mut statuses: Vec<u16> = answers
        .into_iter()
        .map(|answer| answer.expect("an answer").status().as_u16())
        .collect();
    statuses.sort_unstable();
    assert_eq!(
        statuses,
        [202, 202, 429, 429, 429, 429, 429, 429],
        "three may wait"
    );

    // Others have limits of their own, and do not see these jobs.
    let [_, theirs] = with("the-second-of-them");
    theirs.accepted(picture::png(64, 48), "same").await;
    let listed = theirs.look("jobs").await;
    assert_eq!(listed["jobs"].as_array().map(Vec::len), Some(1), "{listed}");
    let job = same.first().expect("there is one");
    let refused = theirs.look(&format!("jobs/{job}")).await;
    assert_eq!(refused["status"], json!(404), "{refused}");
}
