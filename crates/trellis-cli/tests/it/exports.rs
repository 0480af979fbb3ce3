//! `trellis jobs export`: another file of a job that a server made before.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::kit::client::{Client, is_glb};
use crate::kit::server::Server;
use crate::kit::{fake, picture, trellis};

fn export(home: &Path, server: &Server, words: &[&str]) -> Command {
    let mut call = trellis(home);
    call.args(["jobs", "export", "--server", &server.address])
        .args(words);
    call
}

/// Exit code and what was printed on either side.
fn ran(call: &mut Command) -> (Option<i32>, String, String) {
    let output = call.output().expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn an_earlier_job_is_exported_and_fetched() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(home.path(), &[]);
    let client = Client::new(&server.address);
    let id = client.accepted(picture::png(96, 90), "first").await;
    client.finished(&id).await;
    let voxels = [
        "--format",
        "voxels",
        "--voxel-resolution",
        "16",
        "--priority",
        "low",
    ];
    let (code, said, problem) = ran(export(home.path(), &server, &[&id]).args(voxels));
    assert_eq!(code, Some(0), "{problem}");
    assert!(said.starts_with("photo.vox ("), "{said}");
    let file = fs::read(home.path().join("photo.vox")).expect("it is there");
    assert!(file.starts_with(b"VOX "));
    let newest = client.look("/v1/jobs?limit=1").await["jobs"][0].clone();
    assert_eq!(newest["priority"], "low");

    let zip = ["--format", "OBJ", "-o", "out/chair.zip", "--json"];
    let (code, said, problem) = ran(export(home.path(), &server, &[&id]).args(zip));
    assert_eq!(code, Some(0), "{problem}");
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(
        (&said["source"], &said["path"]),
        (&id.into(), &"out/chair.zip".into())
    );
    let file = fs::read(home.path().join("out/chair.zip")).expect("it is there");
    assert!(
        file.starts_with(b"PK") && said["size_bytes"] == file.len(),
        "{said}"
    );
    let job = client.job(said["job"].as_str().expect("an id")).await;
    assert_eq!(job["backend"], "export");
}

#[tokio::test]
async fn a_glb_is_made_again_with_another_texture() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let model = fake::model(home.path(), &json!([]));
    let mut flags = fake::flags(&model, 1);
    flags.push("--preview=false".to_owned());
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let server = Server::start(home.path(), &flags);
    let client = Client::new(&server.address);
    let id = client
        .for_trellis(picture::png(96, 90), &json!({"seed": 7}))
        .await;
    client.finished(&id).await;
    let other = [
        "--texture-size",
        "2048",
        "--mesh-simplify",
        "0.5",
        "--texture",
        "true",
    ];
    let glb = ["--format", "glb", "-o", "again.glb", "--json"];
    let (code, said, problem) = ran(export(home.path(), &server, &[&id]).args(other).args(glb));
    assert_eq!(code, Some(0), "{problem}");
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert!(is_glb(
        &fs::read(home.path().join("again.glb")).expect("it is there")
    ));
    let job = client.job(said["job"].as_str().expect("an id")).await;
    let asked = &job["params"];
    let asked = json!([
        asked["seed"],
        asked["texture_size"],
        asked["mesh_simplify"],
        asked["texture"]
    ]);
    assert_eq!(asked, json!([7, 2048, 0.5, true]), "{job}");
    assert_eq!(job["backend"], "trellis");
}

#[tokio::test]
async fn what_cannot_be_exported_is_said_in_the_server_s_words() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(home.path(), &[]);
    let client = Client::new(&server.address);
    let id = client.accepted(picture::png(96, 90), "first").await;
    client.finished(&id).await;
    let nobody = "01890a5d-ac96-774b-bcce-b302099a8057";
    for (words, code, part) in [
        (&[nobody, "--format", "obj"][..], 1, "there is no job"),
        (
            &[&id, "--format", "gaussian_ply"],
            1,
            "nothing that TRELLIS sampled",
        ),
        (
            &[&id, "--format", "stl", "--texture-size", "512"],
            1,
            "submit its pictures again",
        ),
        (
            &[&id, "--format", "voxels", "--voxel-resolution", "4"],
            1,
            "16 to 256",
        ),
        (&["chair", "--format", "obj"], 2, "invalid value 'chair'"),
        (&[&id, "--format", "paper"], 2, "`paper` is not a format"),
    ] {
        let (found, said, problem) = ran(&mut export(home.path(), &server, words));
        assert_eq!((found, &*said), (Some(code), ""), "{words:?}: {problem}");
        assert!(problem.contains(part), "{words:?}: {problem}");
    }
    let (code, said, _) = ran(&mut export(
        home.path(),
        &server,
        &[nobody, "--format", "obj", "--json"],
    ));
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(
        (code, said["error"]["kind"].as_str()),
        (Some(1), Some("job_not_found")),
        "{said}"
    );
}
