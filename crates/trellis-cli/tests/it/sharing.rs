//! Servers that share a job store: requests at one, work at another.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::kit::client::{Client, is_glb};
use crate::kit::server::Server;
use crate::kit::{describe, picture, trellis};
use crate::rack::{Rack, borrowed};

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
    assert!(said.contains(&format!("{gpu} starts no new jobs")), "{said}");
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
    assert!(drain("resume", &gpu).contains("starts jobs again"));
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
async fn a_closure_that_no_gpu_has_is_refused_and_the_preview_does_not_stand_in() {
    let Some(rack) = Rack::new() else { return };
    let _cpu = rack.cpu("cpu");
    rack.wait_for("cpu", "relief", "ready");
    let mut flags = rack.flags("api");
    flags.extend(["--require-closure", "sha256-of-another-one"].map(str::to_owned));
    let start = |home| {
        let server = Server::start(&rack.home(home), &borrowed(&flags));
        let client = Client::new(&server.address);
        (server, client)
    };
    let (_one, client) = start("api-1");
    // Without any GPU one may come that has it.
    let waits = client.accepted(picture::png(64, 46), "first").await;
    let form = |form: reqwest::multipart::Form| form.text("backend", "relief");
    let taken = client.submit_form(picture::png(64, 48), "second", form).await;
    let taken: Value = taken.expect("an answer").json().await.expect("JSON");
    let made = client.finished(taken["id"].as_str().expect("an id")).await;
    assert_eq!(made["made_by"], "relief", "a preview needs no closure");
    assert_eq!(client.job(&waits).await["state"], "queued", "it was there before");

    let _gpu = rack.gpu("gpu", &json!([]));
    rack.wait_for("gpu", "trellis", "ready");
    let (_other, client) = start("api-2");
    let refused = client.submit(picture::png(64, 48), "third").await;
    let refused = refused.expect("an answer");
    assert_eq!(refused.status(), 422);
    let problem: Value = refused.json().await.expect("JSON");
    let said = problem["detail"].as_str().expect("a sentence");
    assert!(said.contains("`sha256-of-another-one`"), "{said}");
    assert_eq!(client.job(&waits).await["state"], "queued");
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
    assert!(said.contains("check that it is mounted"), "{said}");
}
