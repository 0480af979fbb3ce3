//! The server with TRELLIS workers, whose TRELLIS is a stand-in.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::kit::client::{Client, is_glb};
use crate::kit::server::Server;
use crate::kit::{describe, fake, filters, picture, trellis};

fn home() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn start(home: &Path, rules: &Value, more: &[&str]) -> (Server, Client) {
    let model = fake::model(home, rules);
    let mut flags = fake::flags(&model, 1);
    flags.extend(more.iter().map(|flag| (*flag).to_owned()));
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let server = Server::start(home, &flags);
    let client = Client::new(&server.address);
    (server, client)
}

fn state(workers: &Value) -> &str {
    workers["workers"][0]["state"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_job_that_waits_has_a_preview() {
    // For a worker that still loads, or behind a job that takes long.
    for (place, jobs) in [("import", 1), ("decode", 2)] {
        let home = home();
        let (_server, client) = start(home.path(), &json!([{ "at": place, "do": "hang" }]), &[]);
        let mut seen = Value::Null;
        for _ in 0..jobs {
            let id = client.for_trellis(picture::png(96, 90), &json!({})).await;
            let path = format!("jobs/{id}");
            seen = client
                .until(&path, |job| job["artifacts"][0]["preview"] == true)
                .await;
            assert!(is_glb(&client.artifact(&id, "preview.glb").await));
        }
        assert_eq!(seen["state"], "queued");
    }
}

#[tokio::test]
async fn a_result_is_made_again_of_what_was_sampled() {
    let home = home();
    let (_server, client) = start(home.path(), &json!([]), &["--preview=false"]);
    let params = json!({"seed": 7, "mesh_simplify": 0.5});
    let id = client.for_trellis(picture::png(96, 90), &params).await;
    let first = client.finished(&id).await;
    assert!(first["latents"]["size_bytes"].as_u64() > Some(0), "{first}");
    let wish = json!({"formats": ["glb", "gaussian_ply"], "texture_size": 2048});
    let (status, new) = client.export(&id, &wish).await;
    assert_eq!((status, &new["backend"]), (202, &json!("trellis")), "{new}");
    let again = client.finished(new["id"].as_str().expect("an id")).await;
    assert_eq!(again["state"], "succeeded", "{again}");
    assert_eq!(again["source"]["job"], id.as_str());
    let expected = json!([7, 0.5, 2048, ["glb", "gaussian_ply"]]);
    let asked = &again["params"];
    let asked = json!([
        asked["seed"],
        asked["mesh_simplify"],
        asked["texture_size"],
        asked["formats"]
    ]);
    assert_eq!(asked, expected);
    let stages: Vec<&str> = again["timings"]["stages"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|stage| stage["stage"].as_str())
        .collect();
    assert_eq!(
        stages,
        ["decode", "simplify", "texture", "export"],
        "nothing was sampled"
    );
    let made = &again["provenance"];
    assert_eq!(
        (&made["backend"], &made["source"]),
        (&json!("trellis"), &again["source"]["sha256"])
    );
    assert_eq!(made["inputs"], first["provenance"]["inputs"]);
    let restricted = json!(["diff_gaussian_rasterization", "nvdiffrast"]);
    assert_eq!(made["non_commercial"], restricted, "by TRELLIS's own ways");
    assert!(again["latents"].is_null(), "they are the first job's");

    // Without its kept latents a job cannot be made again, which is said.
    client.cancel(&id).await;
    let (status, problem) = client.export(new["id"].as_str().expect("an id"), &wish).await;
    assert_eq!(status, 422);
    assert_eq!(problem["type"], "urn:trellis-server:problem:no_latents");
}

#[tokio::test]
async fn a_server_may_keep_nothing_that_was_sampled() {
    let home = home();
    let flags = ["--preview=false", "--retention-latent-bytes=0"];
    let (_server, client) = start(home.path(), &json!([]), &flags);
    let id = client.for_trellis(picture::png(96, 90), &json!({})).await;
    let job = client.finished(&id).await;
    assert_eq!(
        (&job["state"], &job["latents"]),
        (&json!("succeeded"), &Value::Null)
    );
}

#[tokio::test]
async fn a_job_is_made_by_a_worker_and_has_a_preview_before() {
    let home = home();
    let rules = json!([
        { "at": "import", "do": "sleep", "seconds": 0.3 },
        { "at": "condition", "do": "write_stderr", "text": "a library speaks" },
        { "at": "decode", "do": "sleep", "seconds": 1 },
    ]);
    let (server, client) = start(home.path(), &rules, &[]);
    let id = client
        .for_trellis(picture::png(96, 90), &json!({ "seed": 7 }))
        .await;
    let seen = client
        .until(&format!("jobs/{id}"), |job| {
            job["artifacts"][0]["name"] == "preview.glb"
        })
        .await;
    assert_eq!(seen["artifacts"][0]["preview"], true);
    assert!(is_glb(&client.artifact(&id, "preview.glb").await));
    let job = client.finished(&id).await;
    assert_eq!(
        (&job["state"], &job["made_by"]),
        (&json!("succeeded"), &json!("trellis")),
        "{job}"
    );
    assert_eq!(client.damage(&job).await, None);
    assert_eq!(job["timings"]["peak_vram_bytes"], json!(9_u64 << 30), "{job}");
    assert_eq!(job["timings"]["stages"][0]["stage"], "preprocess", "{job}");
    let log = server.log();
    let line = log.lines().find(|line| line.contains("a library speaks"));
    assert!(
        line.is_some_and(|line| line.contains(&id) && line.contains("stderr")),
        "{log}"
    );
}

#[tokio::test]
async fn a_start_that_fails_is_told_in_health_and_by_workers() {
    let home = home();
    let symbol = "/env/lib/xformers/_C.so: undefined symbol: _ZN3c104cuda9SetDeviceEab";
    let rules = json!([{ "at": "import", "do": "raise", "type": "ImportError", "text": symbol }]);
    let (server, client) = start(home.path(), &rules, &["--backend", "trellis"]);
    let health = client
        .until("health/ready", |health| {
            health["backends"][0]["status"] == "unavailable"
        })
        .await;
    insta::assert_json_snapshot!("health_with_a_broken_worker", health);
    let shown = describe(trellis(home.path()).args(["workers", "--server", &server.address]));
    let mut settings = filters(home.path());
    settings.add_filter(r"memory \d+\.\d GiB", "memory [SIZE]");
    settings.bind(|| insta::assert_snapshot!("workers_with_a_broken_one", shown));
}

#[tokio::test]
async fn a_damaged_model_is_told_in_health_with_its_kind() {
    for (kept, kind) in [(None, "checkpoint_missing"), (Some(20), "checkpoint_corrupt")] {
        let home = home();
        let model = fake::model(home.path(), &json!([]));
        let file = model.join("ckpts/slat_flow.safetensors");
        match kept {
            None => std::fs::remove_file(file).expect("it is there"),
            Some(bytes) => {
                let content = std::fs::read(&file).expect("it is there");
                std::fs::write(file, &content[..bytes]).expect("it was there");
            }
        }
        let mut flags = fake::flags(&model, 1);
        flags.push("--skip-doctor".to_owned());
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let server = Server::start(home.path(), &flags);
        let client = Client::new(&server.address);
        let health = client
            .until("health/ready", |health| {
                health["backends"][0]["status"] == "unavailable"
            })
            .await;
        assert!(
            health["backends"][0].to_string().contains("slat_flow"),
            "{health}"
        );
        let workers = client.look("workers").await;
        assert_eq!(workers["workers"][0]["failure"]["kind"], kind, "{workers}");
    }
}

#[tokio::test]
async fn workers_are_drained_and_restarted_by_name() {
    let home = home();
    let (server, client) = start(home.path(), &json!([]), &[]);
    client.until("workers", |workers| state(workers) == "ready").await;
    let call = |arguments: &[&str]| {
        let mut command = trellis(home.path());
        describe(
            command
                .arg("workers")
                .args(arguments)
                .args(["--server", &server.address]),
        )
    };
    assert!(call(&["drain", "trellis-0"]).contains("trellis-0 stops after its job"));
    client
        .until("workers", |workers| state(workers) == "stopped")
        .await;
    assert!(call(&["restart"]).contains("trellis-0 restarts after its job"));
    client.until("workers", |workers| state(workers) == "ready").await;
    let refused = call(&["drain", "trellis-9"]);
    assert!(
        refused.contains("there is no worker `trellis-9`") && refused.contains("exit code: 1"),
        "{refused}"
    );
}

/// Processes in the group of a worker, the worker first.
fn group(leader: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("Linux").flatten() {
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let Some((_, fields)) = stat.rsplit_once(") ") else {
            continue;
        };
        let fields: Vec<&str> = fields.split(' ').collect();
        if fields[0] != "Z" && fields[2] == leader {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
}

#[tokio::test]
async fn a_killed_server_leaves_no_worker_behind() {
    let home = home();
    let (server, client) = start(home.path(), &json!([{ "at": "decode", "do": "hang" }]), &[]);
    client.for_trellis(picture::png(64, 90), &json!({})).await;
    let workers = client.until("workers", |workers| state(workers) == "busy").await;
    let pid = workers["workers"][0]["pid"].to_string();
    assert!(!group(&pid).is_empty());
    server.kill();
    let gone = async {
        while !group(&pid).is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone)
        .await
        .expect("it dies with the server");
}

/// From the client's header to the lines of the worker, and back in the job.
#[tokio::test]
async fn a_trace_goes_with_its_job() {
    let home = home();
    let rules = json!([
        { "at": "condition", "do": "write_stderr", "text": "a library speaks" },
        // So that the lines are read while the job is worked on.
        { "at": "decode", "do": "sleep", "seconds": 1 },
    ]);
    let (server, client) = start(home.path(), &rules, &["--log-format", "json"]);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traceparent = format!("00-{trace}-00f067aa0ba902b7-01");
    let picture = home.path().join("photo.png");
    std::fs::write(&picture, picture::png(96, 90)).expect("a file");
    let submitted = std::process::Command::new("curl")
        .args(["-sS", "--fail-with-body", "-F", "backend=trellis", "-F"])
        .arg(format!("image=@{}", picture.display()))
        .args(["-H", &format!("traceparent: {traceparent}")])
        .arg(format!("{}/v1/jobs?wait=0", server.address))
        .output()
        .expect("curl runs");
    let job: Value = serde_json::from_slice(&submitted.stdout).expect("a job");
    assert_eq!(job["traceparent"], *traceparent, "{job}");
    let id = job["id"].as_str().expect("an id").to_owned();
    let ended = client.finished(&id).await;
    assert_eq!(
        (&ended["state"], &ended["traceparent"]),
        (&json!("succeeded"), &json!(traceparent))
    );
    let log = server.log();
    let lines: Vec<Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let of_worker = |text: &str| {
        lines.iter().any(|line| {
            let said = line["line"].as_str().unwrap_or_default();
            line["trace"] == trace && line["job"] == *id && said.contains(text)
        })
    };
    assert!(
        of_worker("a library speaks") && of_worker(&format!("has traceparent 00-{trace}-")),
        "{log}"
    );
    for message in ["job started", "job succeeded", "answered"] {
        let found = lines.iter().any(|line| {
            line["message"] == message && line["span"]["traceparent"].as_str() == Some(&*traceparent)
        });
        assert!(found, "{message}: {log}");
    }
}

#[tokio::test]
async fn a_listener_that_the_service_manager_opened_is_used() {
    let home = home();
    let listener = TcpListener::bind("0.0.0.0:0").expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let address = format!("http://127.0.0.1:{port}");
    // The number must be that of the process which takes the descriptor.
    let mut command = std::process::Command::new("sh");
    command.args([
        "-c",
        "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"",
        "sh",
    ]);
    let serve = trellis(home.path());
    command
        .arg(serve.get_program())
        .args(["serve", "--insecure-no-auth", "--data-dir"])
        .arg(home.path().join("data"));
    command.env("HOME", home.path()).stdin(OwnedFd::from(listener));
    command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let mut server = command.spawn().expect("the binary runs");
    let health = Client::new(&address)
        .until("health/ready", |health| health["status"] == "ready")
        .await;
    assert_eq!(health["backends"][0]["name"], "relief", "{health}");
    // It is open to the network, whatever the settings say: every address is one by which it may be reached.
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let request = b"GET /v1/version HTTP/1.1\r\nhost: 192.0.2.7\r\nconnection: close\r\n\r\n";
    stream.write_all(request).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    server.kill().expect("it runs");
    server.wait().expect("it ends");
}

#[tokio::test]
async fn the_service_manager_is_told() {
    let home = home();
    let socket = home.path().join("notify");
    let listener = UnixDatagram::bind(&socket).expect("a socket");
    listener
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a limit");
    let mut command = trellis(home.path());
    command
        .args(["serve", "--port", "0", "--data-dir"])
        .arg(home.path().join("data"));
    command
        .env("NOTIFY_SOCKET", &socket)
        .env("WATCHDOG_USEC", "2000000");
    command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let mut server = command.spawn().expect("the binary runs");
    let mut said = String::new();
    let hear = |wanted: &str, said: &mut String| {
        let mut buffer = [0; 4096];
        while !said.contains(wanted) {
            let count = listener.recv(&mut buffer).expect("a message");
            said.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    };
    hear("WATCHDOG=1", &mut said);
    assert!(said.starts_with("READY=1\nSTATUS=relief: ready\n"), "{said}");
    let killed = std::process::Command::new("kill")
        .args(["-s", "TERM", &server.id().to_string()])
        .status();
    assert!(killed.expect("`kill` runs").success());
    hear("STOPPING=1", &mut said);
    assert!(server.wait().expect("it ends").success());
}

#[tokio::test]
async fn a_hangup_takes_up_the_log_level_and_names_the_rest() {
    let home = home();
    let settings = home.path().join("trellis.toml");
    std::fs::write(&settings, "[log]\nlevel = \"warn\"\n").expect("a file");
    let server = Server::start(home.path(), &["--config", settings.to_str().expect("UTF-8")]);
    std::fs::write(&settings, "drain_seconds = 7\n[log]\nlevel = \"info\"\n").expect("a file");
    server.signal("HUP");
    let told = async {
        while !server.log().contains("changed settings wait for a restart") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), told)
        .await
        .expect("it is told");
    let log = server.log();
    assert!(
        log.contains("reloaded the settings") && log.contains("drain_seconds"),
        "{log}"
    );
    server.signal("TERM");
    assert_eq!(server.wait().0.code(), Some(0));
}

#[tokio::test]
async fn a_workers_result_names_its_environment_and_is_made_anew_where_that_is_not_pinned() {
    let home = home();
    let (_server, client) = start(home.path(), &json!([]), &["--backend", "trellis"]);
    let params = json!({ "seed": 7 });
    let first = client.asked(picture::png(96, 90), &params).await;
    let record = &first["provenance"];
    assert_eq!(record["backend"], "trellis", "{first}");
    assert_eq!(record["python_env"]["pin"], "unpinned");
    assert_eq!(record["python_env"]["versions"]["torch"], "2.9.1+stand-in");
    // Without a lock nobody knows which weights were used.
    assert!(record.get("model_lock").is_none());
    let id = first["id"].as_str().expect("an id");
    let model = client.artifact(id, "model.glb").await;
    assert!(is_glb(&model));
    std::fs::write(home.path().join("chair.glb"), &model).expect("a file");
    let said = describe(trellis(home.path()).args(["verify", "chair.glb"]));
    assert!(said.contains("– model       the model was not locked"), "{said}");
    // The stand-in says that it has a GPU of its own.
    assert!(said.starts_with("exit code: 1"), "{said}");
    assert!(
        said.contains("✗ gpu         recorded Stand-in GPU (12.0); "),
        "{said}"
    );
    let second = client.asked(picture::png(96, 90), &params).await;
    assert_eq!(second["cached"], false);
    assert_eq!(
        second["artifacts"], first["artifacts"],
        "the same request, the same bytes"
    );
}
