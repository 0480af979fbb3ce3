//! `trellis verify` on what `trellis generate` and a server made, and results kept by a server.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::kit::client::Client;
use crate::kit::server::Server;
use crate::kit::{describe, filters, picture, trellis};

/// The key pair of RFC 8032, section 7.1, test 1; and the public key of test 2.
const SECRET: &str =
    "studio-1:nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg==";
const PUBLIC: &str = "studio-1:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const OTHER_PUBLIC: &str = "studio-1:PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=";

/// A home with `chair.glb` made from `photo.png`, and another picture.
fn made(flags: &[&str]) -> TempDir {
    let home = tempfile::tempdir().expect("a temporary folder");
    fs::write(home.path().join("photo.png"), picture::png(96, 50)).expect("a file");
    fs::write(home.path().join("other.png"), picture::png(96, 90)).expect("a file");
    fs::write(home.path().join("secret"), SECRET).expect("a file");
    generate(home.path(), flags);
    home
}

/// Makes `chair.glb` of `photo.png`, and files beside it.
fn generate(home: &Path, flags: &[&str]) {
    let mut call = trellis(home);
    call.args([
        "generate",
        "photo.png",
        "-o",
        "chair.glb",
        "--seed",
        "7",
        "--statement",
    ]);
    let text = describe(call.args(flags));
    assert!(text.starts_with("exit code: 0"), "{text}");
    assert!(!text.contains(&SECRET[9..]), "the secret shows: {text}");
}

fn verify(home: &Path, flags: &[&str]) -> String {
    describe(trellis(home).args(["verify", "chair.glb"]).args(flags))
}

/// Compares with a snapshot in which digests have no digits.
fn assert_said(home: &Path, name: &str, text: &str) {
    let mut settings = filters(home);
    settings.add_filter("[0-9a-f]{64}", "[SHA256]");
    settings.add_filter(r"\d+ bytes", "[SIZE] bytes");
    settings.add_filter(r"the first at \d+ of \d+", "the first at [PLACE]");
    settings.bind(|| insta::assert_snapshot!(name, text));
}

const ALL: [&str; 5] = [
    "--statement",
    "chair.intoto.json",
    "--input",
    "photo.png",
    "--reproduce",
];

#[test]
fn what_was_made_here_is_the_same_in_every_way() {
    let home = made(&[]);
    assert_said(home.path(), "verify_same", &verify(home.path(), &ALL));
    let output = trellis(home.path())
        .args(["verify", "chair.glb", "--json"])
        .args(ALL)
        .output()
        .unwrap();
    let Output { status, stdout, .. } = output;
    let report: Value = serde_json::from_slice(&stdout).unwrap();
    assert!(status.success());
    assert_eq!(report["same"], true);
    assert_eq!(report["provenance"]["params"]["seed"], 7);
    let about: Vec<&str> = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["verdict"] == "same")
        .map(|check| check["about"].as_str().unwrap())
        .collect();
    assert_eq!(
        about,
        ["version", "program", "pictures", "statement", "made again"]
    );
}

#[test]
fn a_result_without_a_texture_verifies_too() {
    let home = made(&["--texture", "false"]);
    let text = verify(home.path(), &ALL);
    assert!(text.starts_with("exit code: 0"), "{text}");
    let glb = fs::read(home.path().join("chair.glb")).unwrap();
    assert!(!glb.windows(8).any(|name| name == b"\"images\""));
}

#[test]
fn one_other_bit_is_found_by_the_statement_and_by_making_it_again() {
    let home = made(&[]);
    let path = home.path().join("chair.glb");
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_said(home.path(), "verify_flipped", &verify(home.path(), &ALL));
    // The record by itself says nothing of what lies beside it, and is not said to.
    let alone = verify(home.path(), &[]);
    assert!(alone.starts_with("exit code: 0"), "{alone}");
    assert!(
        alone.contains("– statement   name it with `--statement`"),
        "{alone}"
    );
}

#[test]
fn another_picture_is_found() {
    let home = made(&[]);
    let flags = ["--input", "other.png", "--reproduce"];
    assert_said(home.path(), "verify_other_picture", &verify(home.path(), &flags));
}

#[test]
fn a_changed_record_is_found_by_the_statement() {
    let home = made(&[]);
    let path = home.path().join("chair.glb");
    let bytes = fs::read(&path).unwrap();
    let place = bytes
        .windows(8)
        .position(|window| window == b"\"seed\":7")
        .unwrap();
    let mut other = bytes;
    other[place + 7] = b'8';
    fs::write(&path, &other).unwrap();
    let text = verify(home.path(), &ALL);
    assert!(text.starts_with("exit code: 1"), "{text}");
    assert!(text.contains("✗ statement   it is about other files"), "{text}");
}

/// Takes a text out of a GLB's JSON and fills up with spaces, which leaves all lengths as they are.
fn without(glb: &[u8], text: &str) -> Vec<u8> {
    let mut document = glb[20..].to_vec();
    let length = u32::from_le_bytes([glb[12], glb[13], glb[14], glb[15]]) as usize;
    let mut places = document.windows(text.len());
    let at = places.position(|window| window == text.as_bytes());
    let at = at.expect("the text is there");
    document.drain(at..at + text.len());
    let end = length - text.len();
    document.splice(end..end, std::iter::repeat_n(b' ', text.len()));
    [&glb[..20], &document].concat()
}

/// Before there were several models, records named none.
#[test]
fn a_record_of_an_earlier_version_still_verifies() {
    let home = made(&[]);
    let path = home.path().join("chair.glb");
    let old = without(&fs::read(&path).unwrap(), r#""model":"trellis-image-large","#);
    fs::write(&path, old).unwrap();
    let text = verify(home.path(), &["--input", "photo.png", "--reproduce"]);
    assert!(text.starts_with("exit code: 0"), "{text}");
    assert!(
        text.contains("✓ made again  the same but for how its record is written"),
        "{text}"
    );
}

#[test]
fn a_signature_is_checked_with_the_key_alone() {
    let home = made(&["--sign-key", "secret"]);
    let signed = |flags: &[&str]| {
        let all = [&["--statement", "chair.intoto.dsse.json"], flags].concat();
        verify(home.path(), &all)
    };
    assert_said(home.path(), "verify_signed", &signed(&["--public-key", PUBLIC]));
    let other = signed(&["--public-key", OTHER_PUBLIC]);
    assert!(other.starts_with("exit code: 1"), "{other}");
    assert!(
        other.contains("✗ signature   `studio-1` did not sign it"),
        "{other}"
    );
    let unchecked = signed(&[]);
    assert!(unchecked.starts_with("exit code: 0"), "{unchecked}");
    assert!(
        unchecked.contains("– signature   in the name of `studio-1`"),
        "{unchecked}"
    );
    // An unsigned statement is no signed one.
    let home = made(&[]);
    let flags = ["--statement", "chair.intoto.json", "--public-key", PUBLIC];
    let text = verify(home.path(), &flags);
    assert!(text.starts_with("exit code: 1"), "{text}");
    assert!(
        text.contains("✗ signature   the statement is not signed"),
        "{text}"
    );
}

/// STL, PLY and OBJ have no place for a record: the statement says it for them.
#[test]
fn every_format_is_verified_by_its_statement() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("photo.png"), picture::png(96, 50)).unwrap();
    generate(
        home.path(),
        &["--format", "glb,obj,stl,ply", "--stl-size-mm", "62.5"],
    );
    let check =
        |file: &str, flags: &[&str]| describe(trellis(home.path()).arg("verify").arg(file).args(flags));
    for file in [
        "chair.glb",
        "chair.stl",
        "chair.ply",
        "chair.obj",
        "chair.mtl",
        "chair.texture.png",
    ] {
        let text = check(file, &ALL);
        assert!(text.starts_with("exit code: 0"), "{file}: {text}");
        assert!(
            text.contains("✓ statement   about this file") && text.contains("✓ made again"),
            "{file}: {text}"
        );
    }
    let alone = check("chair.stl", &[]);
    assert!(alone.starts_with("exit code: 2"), "{alone}");
    assert!(alone.contains("name its statement with `--statement`"), "{alone}");
    let mut bytes = fs::read(home.path().join("chair.stl")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(home.path().join("chair.stl"), bytes).unwrap();
    let text = check("chair.stl", &ALL);
    assert!(text.starts_with("exit code: 1"), "{text}");
    assert!(
        text.contains("✗ statement   it is about other files") && text.contains("✗ made again"),
        "{text}"
    );
}

/// The picture's name stands in the files, so it takes part in making them again.
#[test]
fn the_picture_s_name_is_recorded() {
    let home = made(&[]);
    fs::copy(home.path().join("photo.png"), home.path().join("renamed.png")).unwrap();
    let flags = ["--input", "renamed.png", "--reproduce"];
    let text = verify(home.path(), &flags);
    assert!(text.contains("✓ made again"), "{text}");
    let glb = fs::read(home.path().join("chair.glb")).unwrap();
    assert!(String::from_utf8_lossy(&glb).contains("\"photo (preview, not TRELLIS)\""));
}

#[test]
fn what_cannot_be_read_is_told_from_what_differs() {
    let home = made(&[]);
    fs::write(home.path().join("no.glb"), "not a GLB").unwrap();
    let call = |arguments: &[&str]| describe(trellis(home.path()).arg("verify").args(arguments));
    assert_said(home.path(), "verify_no_glb", &call(&["no.glb"]));
    assert_said(
        home.path(),
        "verify_no_key",
        &call(&["chair.glb", "--statement", "chair.glb", "--public-key", "x"]),
    );
    for arguments in [
        &["missing.glb"][..],
        &["chair.glb", "--statement", "photo.png"],
        &["chair.glb", "--input", "missing.png"],
        &["chair.glb", "--reproduce"],
    ] {
        let text = call(arguments);
        assert!(text.starts_with("exit code: 2"), "{text}");
    }
}

#[test]
fn a_signing_key_that_is_none_stops_before_any_work() {
    let home = made(&[]);
    fs::write(home.path().join("bad"), "studio-1:c2VjcmV0").unwrap();
    let call = ["generate", "photo.png", "-o", "other.glb", "--sign-key", "bad"];
    let text = describe(trellis(home.path()).args(call));
    assert_said(home.path(), "generate_bad_key", &text);
    assert!(!home.path().join("other.glb").exists());
}

#[tokio::test]
async fn a_server_keeps_results_and_says_what_made_them() {
    let home = tempfile::tempdir().unwrap();
    let photo = picture::png(96, 50);
    fs::write(home.path().join("photo.png"), &photo).unwrap();
    fs::write(home.path().join("secret"), SECRET).unwrap();
    let key = home.path().join("secret");
    let server = Server::start(home.path(), &["--sign-key", key.to_str().unwrap()]);
    let client = Client::new(&server.address);
    let params = json!({"seed": 7, "texture_size": 512});
    let first = client.asked(photo.clone(), &params).await;
    assert_eq!(
        (&first["state"], &first["cached"]),
        (&json!("succeeded"), &json!(false))
    );
    // Kept a moment after the job has ended.
    let second = loop {
        let job = client.asked(photo.clone(), &params).await;
        if job["cached"] == true {
            break job;
        }
    };
    let (one, two) = (first["id"].as_str().unwrap(), second["id"].as_str().unwrap());
    assert_ne!(one, two);
    let bytes = client.artifact(one, "model.glb").await;
    assert_eq!(client.artifact(two, "model.glb").await, bytes);
    assert_eq!(second["attempt"], 0);
    assert_eq!(client.damage(&second).await, None);
    // Made anew, the same bytes come out.
    let anew = client.submit_anew(photo.clone(), &params).await;
    assert_eq!(anew["cached"], false);
    assert_eq!(anew["artifacts"], first["artifacts"]);
    // Without a seed there is nothing to compare with.
    let random = client.asked(photo, &json!({"texture_size": 512})).await;
    assert_eq!(random["cached"], false);

    fs::write(home.path().join("chair.glb"), &bytes).unwrap();
    fs::write(home.path().join("s.json"), client.statement(two).await).unwrap();
    let flags = [
        "--statement",
        "s.json",
        "--public-key",
        PUBLIC,
        "--input",
        "photo.png",
        "--reproduce",
    ];
    let text = verify(home.path(), &flags);
    assert!(text.starts_with("exit code: 0"), "{text}");
    assert!(
        text.contains("✓ signature") && text.contains("✓ made again"),
        "{text}"
    );
    assert!(!server.log().contains(&SECRET[9..]), "the secret is in the log");
    server.kill();

    // After a crash the result is still found.
    let server = Server::start(home.path(), &["--statement"]);
    let client = Client::new(&server.address);
    let photo = picture::png(96, 50);
    assert_eq!(client.asked(photo, &params).await["cached"], true);
    server.kill();
}

#[test]
fn generate_takes_kept_results_of_a_server_and_brings_its_statement() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("photo.png"), picture::png(96, 50)).unwrap();
    let server = Server::start(home.path(), &["--statement"]);
    let call = |flags: &[&str]| -> Value {
        let usual = [
            "generate",
            "photo.png",
            "-o",
            "chair.glb",
            "--seed",
            "7",
            "--json",
            "--server",
        ];
        let output = trellis(home.path())
            .args(usual)
            .arg(&server.address)
            .args(flags)
            .output();
        serde_json::from_slice(&output.unwrap().stdout).unwrap()
    };
    let first = call(&["--statement"]);
    assert_eq!(first["cached"], false);
    assert_eq!(first["statement"], "chair.intoto.json");
    let text = verify(home.path(), &["--statement", "chair.intoto.json"]);
    assert!(
        text.starts_with("exit code: 0") && text.contains("✓ statement"),
        "{text}"
    );
    // Made, but not asked for here, and signed by nobody: it stays where it is.
    fs::remove_file(home.path().join("chair.intoto.json")).unwrap();
    while call(&[])["cached"] != true {}
    assert_eq!(call(&["--no-cache"])["cached"], false);
    assert!(!home.path().join("chair.intoto.json").exists());
    server.kill();
    // A server that makes none says so where one is asked for.
    let server = Server::start(home.path(), &[]);
    let output = trellis(home.path())
        .args([
            "generate",
            "photo.png",
            "-o",
            "chair.glb",
            "--statement",
            "--server",
        ])
        .arg(&server.address)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && said.contains("its setting `provenance.statement` is off"),
        "{said}"
    );
    assert!(!home.path().join("chair.intoto.json").exists());
}
