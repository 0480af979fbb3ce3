//! `trellis generate --server`: the same work, done by a running server.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::kit::client::is_glb;
use crate::kit::server::Server;
use crate::kit::{fake, picture, trellis};

#[test]
fn a_server_makes_what_is_sent_to_it() {
    let home = tempfile::tempdir().unwrap();
    let pictures = home.path().join("photos");
    fs::create_dir(&pictures).unwrap();
    for tint in 0..5 {
        fs::write(pictures.join(format!("{tint}.png")), picture::png(96, tint * 50)).unwrap();
    }
    fs::write(pictures.join("bad.png"), "not a picture").unwrap();
    let server = Server::start(home.path(), &[]);
    let output = trellis(home.path())
        .args([
            "generate",
            "photos",
            "-o",
            "out/",
            "--json",
            "--seed",
            "3",
            "--server",
            &server.address,
        ])
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("1 of 6 failed:\n  photos/bad.png: "), "{stderr}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 6);
    let made = lines.iter().filter(|line| line["state"] == "succeeded");
    assert_eq!(made.clone().count(), 5, "{text}");
    for line in made {
        assert_eq!(
            (&line["made_by"], &line["params"]["seed"]),
            (&"relief".into(), &3.into())
        );
        assert_eq!(line["about"], "a preview from the outline, not TRELLIS");
        // The picture's name reached the server.
        let picture = line["pictures"][0].as_str().unwrap();
        assert_eq!(
            format!("photos/{}.png", line["provenance"]["name"].as_str().unwrap()),
            picture
        );
        let file = home.path().join(line["files"][0]["path"].as_str().unwrap());
        assert!(is_glb(&fs::read(file).unwrap()));
    }
    let bad = lines.iter().find(|line| line["state"] == "failed").unwrap();
    assert_eq!(bad["failure"]["kind"], "picture_format", "{bad}");
}

#[test]
fn a_server_textures_a_mesh_that_is_sent_to_it() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("photo.png"), picture::png(96, 50)).unwrap();
    let obj = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 2 3 4\nf 1 4 3\n";
    fs::write(home.path().join("chair.obj"), obj).unwrap();
    let mut flags = fake::trellis2(home.path());
    flags.extend(["--warm-up=false".to_owned(), "--default-quality=exact".to_owned()]);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let server = Server::start(home.path(), &flags);
    let generate = |more: &[&str]| {
        let mut command = trellis(home.path());
        command.args(["generate", "photo.png", "--texture-mesh", "chair.obj", "--json"]);
        command
            .args(["--server", &server.address])
            .args(more)
            .output()
            .unwrap()
    };
    let output = generate(&["-o", "out.glb", "--resolution", "512"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&line["made_by"], &line["params"]["model"]),
        (&"trellis2".into(), &"trellis2-4b".into())
    );
    assert_eq!(
        line["provenance"]["inputs"].as_array().unwrap().len(),
        2,
        "{line}"
    );
    assert!(is_glb(&fs::read(home.path().join("out.glb")).unwrap()));
    let encoded = fs::read_to_string(home.path().join("trellis2/encoded.json")).unwrap();
    assert_eq!(encoded, r#"{"vertices": 4, "faces": 4, "resolution": 512}"#);

    let refused = generate(&["-o", "out.glb", "--resolution", "1536"]);
    let stderr = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{stderr}");
    assert!(
        stderr.contains("`resolution` is 1536: a mesh is textured at 512 or 1024"),
        "{stderr}"
    );
    fs::write(home.path().join("chair.obj"), "solid chair").unwrap();
    let refused = generate(&["-o", "out.glb"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        String::from_utf8(refused.stdout)
            .unwrap()
            .contains("\"mesh_format\"")
    );
}

/// The client neither fails nor submits twice when the server is killed and comes back.
#[test]
fn a_client_outlives_its_server() {
    let home = tempfile::tempdir().unwrap();
    let photos = home.path().join("photos");
    fs::create_dir(&photos).unwrap();
    for tint in 0..6 {
        fs::write(photos.join(format!("{tint}.png")), picture::png(1800, tint * 40)).unwrap();
    }
    let server = Server::start(home.path(), &[]);
    let address = server.address.clone();
    let mut call = trellis(home.path());
    call.args(["generate", "photos", "-o", "out/", "--server", &address]);
    let mut client = call.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(client.stderr.take().unwrap()).lines();
    // Which stage is told first depends on the machine: reports close together are told as the latest one.
    let begun = |line: &str| {
        ["preprocess", "sparse_structure", "simplify", "texture"]
            .iter()
            .any(|stage| line.ends_with(stage))
    };
    let first = lines.find(|line| line.as_ref().is_ok_and(|line| begun(line)));
    assert!(first.is_some(), "a job has begun");
    server.kill();
    let server = Server::start_again(home.path(), &address);
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(client.wait().unwrap().success(), "{}", rest.join("\n"));
    let made = fs::read_dir(home.path().join("out")).unwrap().count();
    assert_eq!(made, 6, "an asset each");
    drop(server);
    let folders = fs::read_dir(home.path().join("data/blobs/jobs")).unwrap();
    let files = folders.flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap());
    let is_picture = |file: &fs::DirEntry| file.file_name().to_string_lossy().contains(".input.");
    let jobs = files.map(Result::unwrap).filter(is_picture).count();
    assert_eq!(jobs, 6, "each picture was submitted once");
}

#[test]
fn here_and_there_make_the_same_bytes() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("photo.png"), picture::png(96, 90)).unwrap();
    let server = Server::start(home.path(), &[]);
    let make = |output: &str, more: &[&str]| {
        let call = [
            "generate",
            "photo.png",
            "-o",
            output,
            "--seed",
            "5",
            "--texture-size",
            "512",
        ];
        let made = trellis(home.path()).args(call).args(more).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        fs::read(home.path().join(output)).unwrap()
    };
    let here = make("here.glb", &[]);
    let bare = server.address.strip_prefix("http://").unwrap().to_owned();
    for address in [
        server.address.clone(),
        format!("{}/", server.address),
        format!("{bare}/v1"),
        bare,
    ] {
        assert_eq!(here, make("there.glb", &["--server", &address]), "{address}");
    }
}
