//! SIGKILL at random moments, while jobs end and webhooks are told of it: each end arrives, at least once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use rand::RngExt as _;
use serde_json::Value;

use crate::kit::client::Client;
use crate::kit::picture;
use crate::kit::server::Server;

const ROUNDS: usize = 12;
/// Submissions of one round.
const PER_ROUND: usize = 4;
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The messages that arrived: for each job the names under which its end came, each time.
type Arrived = Arc<Mutex<BTreeMap<String, Vec<String>>>>;

/// A receiver on a port of its own, which refuses every seventh message.
async fn receiver(arrived: &Arrived) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("loopback");
    let address = listener.local_addr().expect("it is bound");
    let (arrived, count) = (Arc::clone(arrived), Arc::new(Mutex::new(0)));
    let take = move |headers: HeaderMap, body: String| {
        let (arrived, count) = (Arc::clone(&arrived), Arc::clone(&count));
        async move {
            {
                let mut count = count.lock().expect("nobody panicked");
                *count += 1;
                if *count % 7 == 0 {
                    return StatusCode::SERVICE_UNAVAILABLE;
                }
            }
            let message: Value = serde_json::from_str(&body).expect("a message is JSON");
            let job = message["data"]["job"].as_str().expect("its job").to_owned();
            let name = headers["webhook-id"].to_str().expect("ASCII").to_owned();
            let mut arrived = arrived.lock().expect("nobody panicked");
            arrived.entry(job).or_default().push(name);
            StatusCode::NO_CONTENT
        }
    };
    let app = Router::new().route("/", post(take));
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}/")
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_moments_every_end_is_told() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let secret = home.path().join("secret");
    std::fs::write(&secret, SECRET).expect("a file of secrets");
    std::fs::set_permissions(&secret, Permissions::from_mode(0o600)).expect("its mode");
    let secret = secret.to_str().expect("UTF-8").to_owned();
    let flags = [
        "--webhooks-secret-file",
        &*secret,
        "--webhooks-allow",
        "127.0.0.1",
    ];
    let arrived = Arrived::default();
    let url = receiver(&arrived).await;
    let mut accepted = BTreeSet::new();
    for round in 0..ROUNDS {
        load_and_kill(home.path(), &flags, &url, round, &mut accepted).await;
    }
    let server = Server::start(home.path(), &flags);
    let client = Client::new(&server.address);
    for id in &accepted {
        let job = client.finished(id).await;
        let told = |job: &Value| job["webhook"]["state"] == "delivered";
        // What was on its way during the last kill is sent again when its claim has lapsed.
        if !told(&job) {
            client.until(&format!("jobs/{id}"), told).await;
        }
    }
    let arrived = arrived.lock().expect("nobody panicked");
    let missing: Vec<_> = accepted.iter().filter(|id| !arrived.contains_key(*id)).collect();
    let messages: usize = arrived.values().map(Vec::len).sum();
    println!(
        "{ROUNDS} kills, {} jobs accepted, {messages} messages arrived, of {} jobs more than once; {} ends not told",
        accepted.len(),
        arrived.values().filter(|names| names.len() > 1).count(),
        missing.len()
    );
    assert!(missing.is_empty(), "{missing:?}");
    assert!(accepted.len() >= ROUNDS, "too few jobs to prove anything");
    for (job, names) in arrived.iter() {
        let distinct: BTreeSet<_> = names.iter().collect();
        assert_eq!(
            distinct.len(),
            1,
            "{job}: an end has one name, however often it comes"
        );
    }
}

async fn load_and_kill(
    home: &Path,
    flags: &[&str],
    url: &str,
    round: usize,
    accepted: &mut BTreeSet<String>,
) {
    let server = Server::start(home, flags);
    let client = Client::new(&server.address);
    for number in 0..PER_ROUND {
        let key = format!("{round}-{number}");
        let picture = picture::png(64, 90);
        let answer = client
            .submit_form(picture, &key, |form| form.text("webhook", url.to_owned()))
            .await
            .expect("an answer");
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        let job: Value = answer.json().await.expect("JSON");
        accepted.insert(job["id"].as_str().expect("an id").to_owned());
    }
    // The random moment: while the last jobs are worked on, or their ends are told.
    let moment = rand::rng().random_range(0..400);
    tokio::time::sleep(Duration::from_millis(moment)).await;
    server.kill();
}
