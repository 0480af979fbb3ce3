//! 200 jobs whose workers fail at random, while more workers are killed from outside: none is lost, and
//! each ends as it must.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rand::RngExt as _;
use serde_json::{Value, json};

use crate::kit::client::Client;
use crate::kit::server::Server;
use crate::kit::{fake, picture};

const JOBS: u32 = 200;
const WORKERS: u32 = 2;
/// Submissions that wait for their end at a time; the queue is then never empty.
const AT_A_TIME: usize = 8;
/// How often a worker is killed from outside, and how long lies between two.
const KILLS: usize = 6;
const BETWEEN_KILLS: Duration = Duration::from_secs(5);

/// A way to fail, and how such a job must end: `succeeded`, `cancelled` or a kind of failure.
struct Fault {
    name: &'static str,
    rule: Value,
    ends: &'static str,
}

fn raise(at: &str, kind: &str, text: &str) -> Value {
    json!({ "at": at, "do": "raise", "type": kind, "text": text })
}

fn once(at: &str, action: &str) -> Value {
    json!({ "at": at, "do": action, "times": 1 })
}

fn faults() -> Vec<Fault> {
    let fault = |name, rule, ends| Fault { name, rule, ends };
    let empty = "zero-size array to reduction operation minimum which has no identity";
    let slow = json!({ "at": "structured_latent", "do": "sleep", "seconds": 0.5 });
    vec![
        fault("crash", once("sparse_structure", "segfault"), "succeeded"),
        fault("exit", once("texture", "exit"), "succeeded"),
        fault("kill", once("decode", "kill"), "succeeded"),
        fault("noise on the socket", once("condition", "babble"), "succeeded"),
        fault(
            "noise on the output",
            json!({ "at": "condition", "do": "garbage" }),
            "succeeded",
        ),
        fault(
            "flood",
            json!({ "at": "decode", "do": "flood", "bytes": 20_000_000 }),
            "succeeded",
        ),
        fault(
            "slow",
            json!({ "at": "export", "do": "sleep", "seconds": 0.2 }),
            "succeeded",
        ),
        fault("hang", once("condition", "hang"), "succeeded"),
        fault(
            "memory",
            json!({ "at": "decode", "do": "out_of_memory", "only_high_vram": true }),
            "succeeded",
        ),
        fault("cancelled", slow, "cancelled"),
        fault(
            "crash always",
            json!({ "at": "decode", "do": "segfault" }),
            "worker_lost",
        ),
        fault(
            "memory always",
            json!({ "at": "decode", "do": "out_of_memory" }),
            "gpu_out_of_memory",
        ),
        fault(
            "no kernel",
            raise(
                "condition",
                "RuntimeError",
                "CUDA error: no kernel image is available",
            ),
            "no_kernel_image",
        ),
        fault(
            "symbol",
            raise("decode", "ImportError", "_C.so: undefined symbol: _ZN3"),
            "extension_abi",
        ),
        fault(
            "package",
            raise("texture", "ModuleNotFoundError", "xatlas"),
            "extension_missing",
        ),
        fault(
            "no driver",
            raise("condition", "RuntimeError", "No CUDA GPUs are available"),
            "driver_missing",
        ),
        fault(
            "old driver",
            raise("condition", "RuntimeError", "CUDA driver version is insufficient"),
            "driver_too_old",
        ),
        fault(
            "download",
            json!({ "at": "preprocess", "do": "connect", "host": "192.0.2.7" }),
            "offline_download_attempt",
        ),
        fault("disk", raise("export", "no_space", ""), "storage_full"),
        fault(
            "nothing there",
            raise("preprocess", "ValueError", empty),
            "no_object",
        ),
        fault(
            "picture",
            raise("preprocess", "OSError", "image file is truncated"),
            "internal",
        ),
        fault(
            "no picture",
            raise(
                "preprocess",
                "UnidentifiedImageError",
                "cannot identify image file",
            ),
            "bad_input",
        ),
        fault(
            "defect",
            raise("decode", "ValueError", "shape [1, 8]"),
            "internal",
        ),
    ]
}

/// The fault of each job by its seed; every second one has none.
fn plan() -> (Vec<Option<usize>>, Vec<Value>) {
    let faults = faults();
    let mut random = rand::rng();
    let mut plan = Vec::new();
    let mut rules = Vec::new();
    for seed in 0..JOBS {
        let number = seed as usize;
        // The first of them once each, so that no way is left out; then at random.
        let chosen = match number {
            _ if number < faults.len() => Some(number),
            _ if random.random_ratio(1, 2) => None,
            _ => Some(random.random_range(0..faults.len())),
        };
        if let Some(chosen) = chosen {
            let mut rule = faults[chosen].rule.clone();
            rule["seed"] = seed.into();
            rules.push(rule);
        }
        plan.push(chosen);
    }
    (plan, rules)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_jobs_with_random_faults_end_as_they_must() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let (plan, rules) = plan();
    let model = fake::model(home.path(), &Value::Array(rules));
    let mut flags = fake::flags(&model, WORKERS);
    let more = [
        "--patience-percent",
        "3",
        "--log-level",
        "warn",
        "--limits-queued-jobs",
        "1000",
    ];
    flags.extend(more.map(str::to_owned));
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let server = Server::start(home.path(), &flags);
    let client = Client::new(&server.address);
    let started = Instant::now();

    let next = AtomicUsize::new(0);
    let work = async {
        let mut wrong = Vec::new();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let runs = (0..AT_A_TIME).map(|_| one_after_another(&client, &plan, &next));
        for (bad, ends) in futures::future::join_all(runs).await {
            wrong.extend(bad);
            for end in ends {
                *seen.entry(end).or_default() += 1;
            }
        }
        (wrong, seen)
    };
    tokio::pin!(work);
    let mut kills = 0;
    let (wrong, seen) = loop {
        tokio::select! {
            done = &mut work => break done,
            // A moment at which some worker does something.
            () = tokio::time::sleep(BETWEEN_KILLS), if kills < KILLS => kills += kill_one(&client).await,
        }
    };
    let total: usize = seen.values().sum();
    println!(
        "{JOBS} jobs with random faults and {kills} kills from outside in {:.0?}: {seen:?}",
        started.elapsed()
    );
    println!(
        "{} lost, {} with another end than they must have",
        JOBS as usize - total,
        wrong.len()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(total, JOBS as usize, "jobs are lost");
    let workers = client.look("workers").await;
    assert_eq!(
        workers["workers"].as_array().expect("a list").len(),
        WORKERS as usize
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gigabyte_of_log_lines_is_dropped_and_counted() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let model = fake::model(
        home.path(),
        &json!([{ "at": "decode", "do": "flood", "bytes": 1_u64 << 30 }]),
    );
    let flags = fake::flags(&model, 1);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let server = Server::start(home.path(), &flags);
    let client = Client::new(&server.address);
    let started = Instant::now();
    let id = client.for_trellis(picture::png(64, 90), &json!({})).await;
    let job = client.finished(&id).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(job["attempt"], 1, "{job}");
    let is_counted =
        |workers: &Value| workers["workers"][0]["counters"]["lines_dropped"].as_u64() > Some(1_000_000);
    client.until("workers", is_counted).await;
    let kept = server.log().len() >> 20;
    println!(
        "1 GiB of log lines in {:.0?}, {kept} MiB of them in the log",
        started.elapsed()
    );
    assert!(kept < 64, "{kept} MiB were written into the log");
}

/// Kills a busy worker; how many were killed.
async fn kill_one(client: &Client) -> usize {
    let workers = client.look("workers").await;
    let busy = workers["workers"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|worker| worker["state"] == "busy");
    let Some(pid) = busy.and_then(|worker| worker["pid"].as_u64()) else {
        return 0;
    };
    let killed = std::process::Command::new("kill")
        .args(["-s", "KILL", &pid.to_string()])
        .status();
    usize::from(killed.is_ok_and(|status| status.success()))
}

/// Takes jobs one after another: what is wrong, and how each ended.
async fn one_after_another(
    client: &Client,
    plan: &[Option<usize>],
    next: &AtomicUsize,
) -> (Vec<String>, Vec<String>) {
    let faults = faults();
    let (mut wrong, mut ends) = (Vec::new(), Vec::new());
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        let Some(chosen) = plan.get(seed) else {
            return (wrong, ends);
        };
        let fault = chosen.map(|chosen| &faults[chosen]);
        let expected = fault.map_or("succeeded", |fault| fault.ends);
        let id = client
            .for_trellis(picture::png(64, 90), &json!({ "seed": seed }))
            .await;
        if expected == "cancelled" {
            client
                .until(&format!("jobs/{id}"), |job| {
                    job["progress"]["stage"] == "structured_latent"
                })
                .await;
            client.cancel(&id).await;
        }
        let job = client.finished(&id).await;
        let end = match job["state"].as_str() {
            Some("failed") => job["failure"]["kind"].as_str().unwrap_or_default().to_owned(),
            state => state.unwrap_or_default().to_owned(),
        };
        let name = fault.map_or("no fault", |fault| fault.name);
        if end != expected {
            wrong.push(format!(
                "{name} (seed {seed}): {end} instead of {expected}: {job}"
            ));
        } else if end == "succeeded"
            && let Some(damage) = client.damage(&job).await
        {
            wrong.push(format!("{name} (seed {seed}): {damage}"));
        }
        ends.push(end);
    }
}
