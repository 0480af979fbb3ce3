//! Servers that share a job store: requests at one, work at another.

#![expect(clippy::print_stdout, reason = "skipped tests say why")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::kit::client::{Client, is_glb};
use crate::kit::server::Server;
use crate::kit::{describe, fake, picture, trellis};
use crate::postgres;

/// A database, a folder for files, and a home for each server.
struct Rack {
    place: TempDir,
    url: String,
}

impl Rack {
    fn new() -> Option<Self> {
        if let Some(missing) = postgres::Server::missing() {
            println!("skipped: {missing}");
            return None;
        }
        let url = postgres::Server::of_this_process()
            .address("postgres")
            .to_string();
        Some(Self {
            place: tempfile::tempdir().expect("a temporary folder"),
            url,
        })
    }

    fn home(&self, name: &str) -> PathBuf {
        let home = self.place.path().join(name);
        std::fs::create_dir_all(&home).expect("a folder");
        home
    }

    fn flags(&self, role: &str) -> Vec<String> {
        let blobs = format!("file://{}", self.place.path().join("blobs").display());
        let flags = ["--store", &self.url, "--blobs", &blobs, "--role", role];
        flags.map(str::to_owned).to_vec()
    }

    fn api(&self, name: &str) -> (Server, Client) {
        let mut flags = self.flags("api");
        // The stand-in for TRELLIS has nothing for our ways to take the place of.
        flags.extend(["--default-quality", "exact"].map(str::to_owned));
        let server = Server::start(&self.home(name), &borrowed(&flags));
        let client = Client::new(&server.address);
        (server, client)
    }

    /// A server that works, without a GPU.
    fn cpu(&self, name: &str) -> Server {
        Server::launch(&self.home(name), &borrowed(&self.flags("worker")))
    }

    /// A server that works, whose TRELLIS is a stand-in that follows these rules.
    fn gpu(&self, name: &str, rules: &Value) -> Server {
        let home = self.home(name);
        let mut flags = self.flags("worker");
        flags.extend(fake::flags(&fake::model(&home, rules), 1));
        Server::launch(&home, &borrowed(&flags))
    }

    fn nodes(&self) -> Vec<Value> {
        let mut command = trellis(self.place.path());
        command
            .args(["nodes", "--json"])
            .env("TRELLIS_STORE_URL", &self.url);
        let output = command.output().expect("the binary runs");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    fn name_of(home: &Path) -> String {
        let name = std::fs::read_to_string(home.join("data/server-name"));
        name.unwrap_or_default().trim().to_owned()
    }

    /// Waits until the server in that home says that it has a backend that stands so.
    fn wait_for(&self, server: &str, backend: &str, standing: &str) {
        let begun = Instant::now();
        loop {
            let name = Self::name_of(&self.home(server));
            let nodes = self.nodes();
            let has = nodes.iter().filter(|node| node["name"] == *name).any(|node| {
                let offers = node["about"]["backends"].as_array().expect("a list");
                offers
                    .iter()
                    .any(|offer| offer["choice"] == backend && offer["standing"] == standing)
            });
            if has {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{nodes:#?}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

fn borrowed(flags: &[String]) -> Vec<&str> {
    flags.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn any_server_answers_for_any_job_and_auto_goes_to_the_gpu_of_another() {
    let Some(rack) = Rack::new() else { return };
    let (_one, one) = rack.api("api-1");
    let _cpu = rack.cpu("cpu");
    let _gpu = rack.gpu("gpu", &json!([]));
    rack.wait_for("gpu", "trellis", "ready");
    rack.wait_for("cpu", "relief", "ready");
    // It reads what the others have said so far.
    let (_other, other) = rack.api("api-2");

    let id = one.accepted(picture::png(64, 48), "first").await;
    let done = other.finished(&id).await;
    assert_eq!(done["made_by"], "trellis", "the server without a GPU was free");
    assert!(is_glb(&other.artifact(&id, "model.glb").await));
    // One answer for one key, wherever it is asked.
    assert_eq!(other.accepted(picture::png(64, 48), "first").await, id);

    let workers = other.look("workers").await;
    let gpu = Rack::name_of(&rack.home("gpu"));
    assert_eq!(workers["workers"][0]["name"], format!("{gpu}/trellis-0"));

    // Drained, it is not waited for.
    let drain = |action: &str, name: &str| {
        let mut command = trellis(rack.place.path());
        command
            .args(["nodes", action, name])
            .env("TRELLIS_STORE_URL", &rack.url);
        describe(&mut command)
    };
    let said = drain("drain", &gpu);
    assert!(said.contains(&format!("{gpu} begins no job any more")), "{said}");
    let begun = Instant::now();
    while !rack.nodes().iter().any(|node| node["about"]["rests"] == true) {
        assert!(begun.elapsed() < Duration::from_secs(60), "it is not drained");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    one.until("status", |status| {
        let backends = status["backends"].as_array().expect("a list");
        let trellis = backends.iter().find(|backend| backend["name"] == "trellis");
        trellis.is_some_and(|trellis| trellis["status"] != "ready")
    })
    .await;
    let id = one.accepted(picture::png(64, 50), "second").await;
    assert_eq!(other.finished(&id).await["made_by"], "relief");
    assert!(drain("resume", &gpu).contains("begins jobs again"));
    let said = drain("drain", "nobody");
    assert!(
        said.starts_with("exit code: 2") && said.contains("`trellis nodes` lists them"),
        "{said}"
    );
}

#[tokio::test]
async fn a_job_of_a_server_that_was_killed_is_done_by_another() {
    let Some(rack) = Rack::new() else { return };
    let hangs = rack.gpu("gpu-1", &json!([{ "at": "decode", "do": "hang" }]));
    rack.wait_for("gpu-1", "trellis", "ready");
    let (_api, api) = rack.api("api");
    let id = api.accepted(picture::png(64, 48), "first").await;
    api.running(&id, 1).await;
    let _other = rack.gpu("gpu-2", &json!([]));
    rack.wait_for("gpu-2", "trellis", "ready");
    hangs.kill();
    let done = api
        .until(&format!("jobs/{id}"), |job| job["state"] == "succeeded")
        .await;
    assert_eq!(done["attempt"], 2);
    assert!(is_glb(&api.artifact(&id, "model.glb").await));
}

/// An earlier result is every server's, and so is the name of a request.
#[tokio::test]
async fn a_result_is_given_again_by_whichever_server_is_asked() {
    let Some(rack) = Rack::new() else { return };
    let _cpu = rack.cpu("cpu");
    let (_one, one) = rack.api("api-1");
    let (_other, other) = rack.api("api-2");
    for api in [&one, &other] {
        api.until("status", |status| {
            let backends = status["backends"].as_array().expect("a list");
            let relief = backends.iter().find(|backend| backend["name"] == "relief");
            relief.is_some_and(|relief| relief["status"] == "ready")
        })
        .await;
    }
    let params = json!({ "seed": 7, "texture_size": 512 });
    let first = one.asked(picture::png(64, 48), &params).await;
    let again = other.asked(picture::png(64, 48), &params).await;
    assert_ne!(first["id"], again["id"]);
    assert_eq!(
        (&first["cached"], &again["cached"]),
        (&json!(false), &json!(true)),
        "{again}"
    );
    assert_eq!(first["artifacts"][0]["sha256"], again["artifacts"][0]["sha256"]);
    assert_eq!(one.damage(&again).await, None);
}

/// Whoever asks for a closure gets a result of it or none.
#[tokio::test]
async fn a_closure_that_no_server_has_is_refused_and_the_preview_does_not_stand_in() {
    let Some(rack) = Rack::new() else { return };
    let _cpu = rack.cpu("cpu");
    rack.wait_for("cpu", "relief", "ready");
    let mut flags = rack.flags("api");
    flags.extend(["--require-closure", "sha256-of-another-one"].map(str::to_owned));
    let server = Server::start(&rack.home("api"), &borrowed(&flags));
    let client = Client::new(&server.address);
    let refused = client
        .submit(picture::png(64, 48), "first")
        .await
        .expect("an answer");
    assert_eq!(refused.status(), 422);
    let problem: Value = refused.json().await.expect("JSON");
    let said = problem["detail"].as_str().expect("a sentence");
    assert!(said.contains("`sha256-of-another-one`"), "{said}");
    let form = |form: reqwest::multipart::Form| form.text("backend", "relief");
    let taken = client.submit_form(picture::png(64, 48), "second", form).await;
    assert_eq!(
        taken.expect("an answer").status(),
        202,
        "it is not what makes previews"
    );
}

#[test]
fn what_does_not_fit_together_is_refused_with_what_to_do() {
    let Some(rack) = Rack::new() else { return };
    let home = rack.home("alone");
    let refused = |flags: &[&str]| Server::try_start(&home, flags).err().expect("it does not start");
    let blobs = rack.place.path().join("other").display().to_string();
    for (flags, why) in [
        (&["--role", "api"][..], "`store.url` names none"),
        (&["--store", &rack.url], "`store.blobs` names no place"),
        (
            &[
                "--store",
                "postgres://trellis:hunter2@localhost/trellis",
                "--blobs",
                &blobs,
            ],
            "it holds a password",
        ),
        (
            &[
                "--store",
                "postgres://trellis@localhost:1/trellis",
                "--blobs",
                &blobs,
            ],
            "cannot use the job store at postgres://trellis@localhost:1/trellis",
        ),
    ] {
        let said = refused(flags);
        assert!(said.contains(why) && said.contains("hint: "), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    drop(rack.api("api"));
    let said = refused(&["--store", &rack.url, "--blobs", &blobs]);
    assert!(said.contains("look whether it is mounted"), "{said}");
}
