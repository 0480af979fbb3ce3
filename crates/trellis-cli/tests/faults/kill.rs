//! SIGKILL at random moments, under load, with jobs cancelled, deleted and downloaded meanwhile. What was acknowledged
//! must be done in the end, and done whole; after a sweep there are no files without a job and no jobs without files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::RngExt as _;
use rand::seq::IteratorRandom as _;
use reqwest::StatusCode;
use tokio::task::JoinSet;

use super::leftovers;
use crate::kit::client::Client;
use crate::kit::picture;
use crate::kit::server::Server;

/// Submissions at a time.
const SUBMITTERS: usize = 4;
/// Most submissions of one round: the rest of the time jobs are worked on.
const PER_ROUND: usize = 12;
/// A job that is hit so often while it is worked on alone is given up with `worker_lost`.
const MAX_CHARGED: u64 = 3;
/// One in so many jobs is cancelled or deleted.
const UNWANTED: u32 = 6;

const FLAGS: [&str; 6] = [
    "--limits-queued-jobs",
    "100000",
    "--retention-keep-jobs",
    "0",
    "--log-level",
    "warn",
];

/// What was sent and what is known of it.
#[derive(Default)]
struct Ledger {
    /// Key and picture of each request that has no answer yet.
    open: Vec<(String, Arc<Vec<u8>>)>,
    /// The job of each acknowledged key.
    accepted: BTreeMap<String, String>,
    /// Jobs for which a `DELETE` was sent, with the last answer, if one came.
    unwanted: BTreeMap<String, Option<StatusCode>>,
    /// Files that were downloaded whole.
    downloaded: usize,
    /// What should never happen.
    wrong: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_moments_nothing_is_lost() {
    let rounds = std::env::var("TRELLIS_FAULT_ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(100);
    let home = tempfile::tempdir().expect("a temporary folder");
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let pictures: Vec<_> = [64, 64, 128, 128, 256, 512]
        .map(|side| Arc::new(picture::png(side, 90)))
        .into();
    for round in 0..rounds {
        kill_while_starting(home.path());
        load_and_kill(home.path(), &ledger, &pictures, round).await;
    }
    let server = Server::start(home.path(), &FLAGS);
    let client = Client::new(&server.address);
    settle(&client, &ledger).await;
    let Found {
        given_up,
        lost,
        corrupt,
    } = verify(&client, &ledger).await;
    server.kill();
    let orphans = leftovers::after_a_sweep(&home.path().join("data")).await;
    let ledger = ledger.lock().expect("no submitter panicked");
    let accepted = ledger.accepted.len();
    let deleted = |status: &&Option<StatusCode>| **status == Some(StatusCode::NO_CONTENT);
    println!(
        "{rounds} kills under load, {accepted} accepted, {} cancelled or deleted ({} were told that they are deleted), \
         {} files downloaded meanwhile: {} lost, {} corrupt, {} orphans",
        ledger.unwanted.len(),
        ledger.unwanted.values().filter(deleted).count(),
        ledger.downloaded,
        lost.len(),
        corrupt.len(),
        orphans.len()
    );
    println!("{given_up} of them hit {MAX_CHARGED} times alone and therefore given up as `worker_lost`");
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert!(corrupt.is_empty(), "corrupt: {corrupt:?}");
    assert!(orphans.is_empty(), "orphans: {orphans:?}");
    assert!(ledger.wrong.is_empty(), "{:?}", ledger.wrong);
    let jobs: BTreeSet<_> = ledger.accepted.values().collect();
    assert_eq!(jobs.len(), accepted, "two keys share a job");
    assert!(accepted >= rounds, "too few jobs to prove anything");
    assert!(
        given_up * 10 <= accepted,
        "most jobs should get done between two kills"
    );
}

/// One in four servers is killed before it has said that it listens.
fn kill_while_starting(home: &Path) {
    let mut random = rand::rng();
    if random.random_ratio(1, 4) {
        let launched = Server::launch(home, &FLAGS);
        std::thread::sleep(Duration::from_millis(random.random_range(0..60)));
        launched.kill();
    }
}

async fn load_and_kill(home: &Path, ledger: &Arc<Mutex<Ledger>>, pictures: &[Arc<Vec<u8>>], round: usize) {
    let server = Server::start(home, &FLAGS);
    let client = Client::new(&server.address);
    {
        let mut ledger = ledger.lock().expect("no submitter panicked");
        let fresh = PER_ROUND.saturating_sub(ledger.open.len());
        for number in 0..fresh {
            let picture = &pictures[(round + number) % pictures.len()];
            ledger.open.push((format!("{round}-{number}"), picture.clone()));
        }
    }
    let mut submitters = JoinSet::new();
    for _ in 0..SUBMITTERS {
        submitters.spawn(submit_until_dead(client.clone(), ledger.clone()));
    }
    submitters.spawn(delete_until_dead(client.clone(), ledger.clone()));
    submitters.spawn(download_until_dead(client.clone(), ledger.clone()));
    // The random moment. Long enough to work, short enough to hit a submission as often as a job.
    let moment = rand::rng().random_range(0..1000);
    tokio::time::sleep(Duration::from_millis(moment)).await;
    server.kill();
    submitters.join_all().await;
}

/// Sends open requests until there are none or the server is gone. What has no answer stays open and is
/// sent again, with its key, to the next server.
async fn submit_until_dead(client: Client, ledger: Arc<Mutex<Ledger>>) {
    loop {
        let Some((key, picture)) = ledger.lock().expect("no submitter panicked").open.pop() else {
            return;
        };
        let answer = client.submit(picture.as_ref().clone(), &key).await;
        let id = match answer {
            Ok(response) if response.status() == StatusCode::ACCEPTED => {
                // The status alone is the acknowledgement: the body may be cut off by the kill.
                let body = response.json::<serde_json::Value>().await;
                body.ok().and_then(|job| Some(job["id"].as_str()?.to_owned()))
            }
            Ok(response) => {
                let wrong = format!("{key}: {} {:?}", response.status(), response.text().await);
                ledger.lock().expect("no submitter panicked").wrong.push(wrong);
                return;
            }
            Err(_) => None,
        };
        let mut ledger = ledger.lock().expect("no submitter panicked");
        match id {
            Some(id) => drop(ledger.accepted.insert(key, id)),
            None => return ledger.open.insert(0, (key, picture)),
        }
    }
}

/// Sends what has no answer yet once more, and every acknowledged key again: it must name the same job.
async fn settle(client: &Client, ledger: &Arc<Mutex<Ledger>>) {
    submit_until_dead(client.clone(), ledger.clone()).await;
    let ledger = ledger.lock().expect("no submitter panicked");
    assert!(ledger.open.is_empty(), "a living server answers");
}

/// Cancels and deletes some of the jobs that were accepted. One that has no answer is asked for again, by chance.
async fn delete_until_dead(client: Client, ledger: Arc<Mutex<Ledger>>) {
    loop {
        let id = {
            let mut ledger = ledger.lock().expect("nobody panicked");
            let all = ledger.accepted.len();
            let enough = ledger.unwanted.len() * UNWANTED as usize >= all;
            let again = enough && rand::rng().random_ratio(1, 2);
            let id = if again {
                ledger.unwanted.keys().choose(&mut rand::rng()).cloned()
            } else if enough {
                None
            } else {
                ledger.accepted.values().choose(&mut rand::rng()).cloned()
            };
            if let Some(id) = &id {
                ledger.unwanted.entry(id.clone()).or_default();
            }
            id
        };
        let Some(id) = id else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if client.is_dead().await {
                return;
            }
            continue;
        };
        let Ok(status) = client.delete(&id).await else {
            return;
        };
        let mut ledger = ledger.lock().expect("nobody panicked");
        match status {
            // Cancelled; deleted.
            StatusCode::OK | StatusCode::NO_CONTENT => drop(ledger.unwanted.insert(id, Some(status))),
            // An earlier request whose answer was lost.
            StatusCode::NOT_FOUND => drop(ledger.unwanted.insert(id, Some(StatusCode::NO_CONTENT))),
            _ => ledger.wrong.push(format!("DELETE of {id}: {status}")),
        }
    }
}

/// Downloads results, which are whole or broken off, and never other bytes.
async fn download_until_dead(client: Client, ledger: Arc<Mutex<Ledger>>) {
    loop {
        let id = {
            let ledger = ledger.lock().expect("nobody panicked");
            ledger.accepted.values().choose(&mut rand::rng()).cloned()
        };
        match id {
            None => tokio::time::sleep(Duration::from_millis(20)).await,
            Some(id) => {
                if client.is_dead().await {
                    return;
                }
                let Some(sound) = client.download(&id).await else {
                    continue;
                };
                let mut ledger = ledger.lock().expect("nobody panicked");
                if sound {
                    ledger.downloaded += 1;
                } else {
                    let wrong = format!("{id}: downloaded bytes differ from their digest");
                    ledger.wrong.push(wrong);
                }
            }
        }
        if client.is_dead().await {
            return;
        }
    }
}

/// What became of the accepted jobs.
#[derive(Default)]
struct Found {
    given_up: usize,
    lost: Vec<String>,
    corrupt: Vec<String>,
}

/// Waits for every accepted job and looks at what it made.
async fn verify(client: &Client, ledger: &Arc<Mutex<Ledger>>) -> Found {
    let (accepted, unwanted) = {
        let ledger = ledger.lock().expect("no submitter panicked");
        (ledger.accepted.clone(), ledger.unwanted.clone())
    };
    let mut found = Found::default();
    for (key, id) in accepted {
        let asked = unwanted.get(&id);
        let told = asked.copied().flatten();
        let answer = client.look(&format!("jobs/{id}")).await;
        if answer["type"] == "urn:trellis-server:problem:job_not_found" {
            if asked.is_none() {
                found.lost.push(format!("{key}: {id} is gone"));
            }
            continue;
        }
        let job = client.finished(&id).await;
        match job["state"].as_str() {
            _ if told == Some(StatusCode::NO_CONTENT) => found.lost.push(format!("{key}: back again: {job}")),
            Some("cancelled") if asked.is_some() => {}
            _ if told == Some(StatusCode::OK) => found.lost.push(format!("{key}: was cancelled: {job}")),
            Some("succeeded") => found.corrupt.extend(client.damage(&job).await),
            Some("failed")
                if job["failure"]["kind"] == "worker_lost"
                    && job["attempt"]
                        .as_u64()
                        .is_some_and(|attempt| attempt >= MAX_CHARGED) =>
            {
                found.given_up += 1;
            }
            _ => found.lost.push(format!("{key}: {job}")),
        }
    }
    found
}
