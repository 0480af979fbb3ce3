//! fetch, and repair by download, from a hub on the loopback.

use std::fs;

use crate::sample::MISSING_IN_NOTES;

use crate::kit::{Machine, REPO, finished};
use crate::stand_in::{COMMIT, Fault};

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_fetched_locked_and_found_in_the_cache() {
    let machine = Machine::with_small_extras();
    let hub = machine.hub(&machine.model("published")).await;
    let endpoint = hub.endpoint();
    let fetch = ["fetch", REPO, "--endpoint", &endpoint, "--extras=false"];
    let output = finished(machine.command(&fetch)).await;
    assert_eq!(output.status.code(), Some(0), "{}", machine.told(&output));
    let told = machine.told(&output);
    assert!(told.contains(&format!(
        "--- stdout\n~/.cache/huggingface/hub/models--org--model/snapshots/{COMMIT}\n"
    )));
    for arguments in [
        &["check", REPO, "--locked"][..],
        &["check", REPO, "--hash"],
        &["check", "org/model@main"],
    ] {
        let output = finished(machine.command(arguments)).await;
        assert_eq!(output.status.code(), Some(0), "{}", machine.told(&output));
    }
    let listed = finished(machine.command(&["list"])).await;
    assert!(machine.told(&listed).contains("org/model at 0123456789ab (main)"));
    let locked = finished(machine.command(&["lock", REPO])).await;
    assert!(machine.told(&locked).contains(&format!("rev = \"{COMMIT}\";")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_gets_its_lock_beside_pipeline_json_and_json_says_all() {
    let machine = Machine::with_small_extras();
    let hub = machine.hub(&machine.model("published")).await;
    let endpoint = hub.endpoint();
    let fetch = [
        "fetch",
        REPO,
        "--endpoint",
        &endpoint,
        "--extras=false",
        "--to",
        "models/t",
        "--json",
    ];
    let output = finished(machine.command(&fetch)).await;
    let outcome: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(outcome["files"].as_array().unwrap().len(), 13);
    assert_eq!(outcome["revision"], COMMIT);
    assert!(output.stderr.is_empty(), "{}", machine.told(&output));
    let lock: serde_json::Value =
        serde_json::from_slice(&fs::read(machine.path("models/t/trellis-model.lock.json")).unwrap()).unwrap();
    assert_eq!(lock["repo"], REPO);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_it_goes_on_where_it_was() {
    let machine = Machine::new();
    let published = machine.model("published");
    // Large enough for three ranges of the real size.
    let name = format!("ckpts/{MISSING_IN_NOTES}.safetensors");
    let weights = published.join(&name);
    let mut bytes = fs::read(&weights).unwrap();
    bytes.extend((0..40_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24).to_le_bytes()[0]));
    fs::write(&weights, &bytes).unwrap();
    let hub = machine.hub(&published).await;
    {
        let mut script = hub.script.lock().unwrap();
        script
            .faults
            .insert(name.clone(), [Fault::Pass, Fault::Stall, Fault::Stall].into());
    }
    let endpoint = hub.endpoint();
    let fetch = [
        "fetch",
        REPO,
        "--endpoint",
        &endpoint,
        "--extras=false",
        "--to",
        "fetched",
    ];
    let mut child = machine.command(&fetch).spawn().unwrap();
    let note = machine.path(&format!(
        "fetched/ckpts/.{MISSING_IN_NOTES}.safetensors.trellis-part.json"
    ));
    let asked = hub.script.lock().unwrap().asked.clone();
    // The stalled connections time out and are made again, so requests keep coming until the note is there.
    let noted = async {
        while !note.exists() {
            let _ = tokio::time::timeout(std::time::Duration::from_millis(50), asked.notified()).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), noted)
        .await
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!machine.path("fetched").join(&name).exists());
    {
        let mut script = hub.script.lock().unwrap();
        script.faults.clear();
        script.requests.clear();
    }
    let output = finished(machine.command(&fetch)).await;
    assert_eq!(output.status.code(), Some(0), "{}", machine.told(&output));
    assert!(machine.told(&output).contains("are here already"));
    assert_eq!(fs::read(machine.path("fetched").join(&name)).unwrap(), bytes);
    let asked = hub
        .script
        .lock()
        .unwrap()
        .requests
        .iter()
        .filter(|(path, ..)| *path == name)
        .count();
    assert_eq!(asked, 2, "the range that was noted is not asked for again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_checkpoint_is_downloaded_alone() {
    let machine = Machine::new();
    let hub = machine.hub(&machine.model("published")).await;
    machine.model_of_the_notes();
    let endpoint = hub.endpoint();
    let repair = ["repair", "model", "--repo", REPO, "--endpoint", &endpoint];
    let output = finished(machine.command(&repair)).await;
    let told = machine.told(&output);
    assert!(
        told.starts_with("exit 0") && told.contains("downloaded from org/model"),
        "{told}"
    );
    assert_eq!(hub.script.lock().unwrap().requests.len(), 2);
    let check = finished(machine.command(&["check", "model"])).await;
    assert!(machine.told(&check).contains("✓ nothing is wrong"));
    let leftovers = fs::read_dir(machine.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    assert!(
        !leftovers
            .into_iter()
            .any(|name| name.to_string_lossy().starts_with(".trellis-repair"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_has_its_sentence_and_its_hint() {
    let machine = Machine::new();
    let hub = machine.hub(&machine.model("published")).await;
    let endpoint = hub.endpoint();
    let mut told = Vec::new();
    for (repo, faults) in [
        ("org/other", vec![]),
        (REPO, vec![Fault::Status(401, None)]),
        (REPO, vec![Fault::Status(429, Some("86400"))]),
        (REPO, vec![Fault::Html]),
    ] {
        hub.script.lock().unwrap().listing_faults = faults.into();
        let fetch = ["fetch", repo, "--endpoint", &endpoint, "--to", "fetched"];
        told.push(machine.told(&finished(machine.command(&fetch)).await));
    }
    let mut offline = machine.command(&["fetch", REPO]);
    offline.env("HF_HUB_OFFLINE", "1");
    told.push(machine.told(&finished(offline).await));
    insta::assert_snapshot!(told.join("\n"));
    assert!(!machine.path("fetched").exists());
}
