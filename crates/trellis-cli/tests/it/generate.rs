//! `trellis generate` in this process, with the embedded backend.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::kit::client::is_glb;
use crate::kit::{describe, filters, picture, trellis};

fn home(pictures: &[&str]) -> TempDir {
    let home = tempfile::tempdir().expect("a temporary folder");
    for (tint, name) in (50..).step_by(40).zip(pictures) {
        let path = home.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, picture::png(96, tint)).expect("a file");
    }
    home
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

#[test]
fn one_picture_becomes_one_file() {
    let home = home(&["photo.png"]);
    let mut call = trellis(home.path());
    let text = describe(call.args(["generate", "photo.png", "-o", "chair.glb", "--seed", "7"]));
    filters(home.path()).bind(|| insta::assert_snapshot!("generate_one", text));
    let first = fs::read(home.path().join("chair.glb")).unwrap();
    assert!(is_glb(&first));
    let again = describe(&mut call);
    assert!(again.contains(", replaced) in"), "{again}");
    assert_eq!(
        fs::read(home.path().join("chair.glb")).unwrap(),
        first,
        "the same input, the same bytes"
    );
    assert_eq!(files(home.path()), ["chair.glb", "photo.png"]);
}

#[test]
fn a_bad_picture_does_not_stop_the_others() {
    let home = home(&["photos/a.png", "photos/c.png", "more/a.png"]);
    fs::write(home.path().join("photos/b.png"), "not a picture").unwrap();
    let output = trellis(home.path())
        .args([
            "generate",
            "photos",
            "more/a.png",
            "missing.png",
            "-o",
            "out/",
            "--format",
            "glb,stl",
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        files(&home.path().join("out")),
        ["a-2.glb", "a-2.stl", "a.glb", "a.stl", "c.glb", "c.stl"]
    );
    let mut paths: Vec<_> = std::str::from_utf8(&output.stdout).unwrap().lines().collect();
    paths.sort_unstable();
    assert_eq!(paths.len(), 6);
    assert_eq!(paths[0], "out/a-2.glb");
    // Lines about different pictures come in any order; the list at the end does not.
    let stderr = String::from_utf8(output.stderr).unwrap();
    let end = stderr.split_once("\n\n").expect("a list after an empty line").1;
    filters(home.path()).bind(|| insta::assert_snapshot!("generate_failures", end));
}

#[test]
fn json_has_a_line_for_each_asset() {
    let home = home(&["a.png", "b.png"]);
    fs::write(home.path().join("c.png"), "not a picture").unwrap();
    let output = trellis(home.path())
        .args(["generate", "a.png", "b.png", "c.png", "--json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    lines.sort_by_key(|line| line["pictures"][0].as_str().unwrap().to_owned());
    assert_eq!(lines.len(), 3);
    for line in &lines[..2] {
        assert_eq!(
            (&line["state"], &line["made_by"]),
            (&"succeeded".into(), &"relief".into())
        );
        assert_eq!(line["about"], "a preview from the outline, not TRELLIS");
        assert!(line["params"]["seed"].is_u64(), "a random seed is reported");
        let path = home.path().join(line["files"][0]["path"].as_str().unwrap());
        assert_eq!(line["files"][0]["size_bytes"], fs::metadata(path).unwrap().len());
    }
    assert_eq!(lines[2]["state"], "failed");
    assert_eq!(lines[2]["failure"]["kind"], "bad_input");
    assert!(lines[2]["failure"]["fix"].is_string());
}

#[test]
fn several_views_are_one_asset() {
    let home = home(&["front.png", "side.png"]);
    let output = trellis(home.path())
        .args([
            "generate",
            "front.png",
            "side.png",
            "--multiview",
            "-o",
            "chair.stl",
        ])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let names = ["chair.stl", "front.png", "side.png"];
    assert_eq!(files(home.path()), names);
}

/// What a file does not say by itself is written only where somebody asks for it, and called what it is.
#[test]
fn a_statement_is_written_only_where_it_is_asked_for() {
    let home = home(&["photo.png"]);
    let make = |flags: &[&str], variable: Option<&str>| {
        let mut call = trellis(home.path());
        if let Some(value) = variable {
            call.env("TRELLIS_STATEMENT", value);
        }
        let output = call
            .args(["generate", "photo.png", "-o", "out/chair.glb"])
            .args(flags)
            .output();
        let said = String::from_utf8(output.unwrap().stderr).unwrap();
        let made = files(&home.path().join("out"));
        fs::remove_dir_all(home.path().join("out")).unwrap();
        (made, said)
    };
    let (there, said) = make(&[], None);
    assert_eq!(there, ["chair.glb"]);
    assert!(!said.contains("statement"), "{said}");
    for (flags, variable) in [(&["--statement"][..], None), (&[][..], Some("true"))] {
        let (there, said) = make(flags, variable);
        assert_eq!(there, ["chair.glb", "chair.intoto.json"]);
        assert!(
            said.contains("wrote out/chair.intoto.json, a statement of what made it, not signed"),
            "{said}"
        );
    }
}

#[test]
fn an_obj_comes_with_what_it_needs_or_in_a_zip() {
    let home = home(&["my chair.png"]);
    let output = trellis(home.path())
        .args([
            "generate",
            "my chair.png",
            "--format",
            "obj",
            "-o",
            "out/",
            "--statement",
        ])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let folder = home.path().join("out");
    let names = [
        "my chair.obj",
        "my chair.intoto.json",
        "my_chair.mtl",
        "my_chair.texture.png",
    ];
    let mut sorted = names;
    sorted.sort_unstable();
    assert_eq!(files(&folder), sorted);
    // The one that was asked for is named first.
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        ["out/my chair.obj", "out/my_chair.mtl", "out/my_chair.texture.png"]
    );
    let text = fs::read_to_string(folder.join("my chair.obj")).unwrap();
    assert!(text.starts_with("# my chair (preview, not TRELLIS): a preview from the outline, not TRELLIS\n"));
    assert!(text.contains("\nmtllib my_chair.mtl\n"));
    let materials = fs::read_to_string(folder.join("my_chair.mtl")).unwrap();
    assert!(
        materials.contains("\nnewmtl my_chair_(preview,_not_TRELLIS)\n"),
        "{materials}"
    );
    assert!(
        materials.contains("\nmap_Kd my_chair.texture.png\n"),
        "{materials}"
    );
    let texture = image::open(folder.join("my_chair.texture.png")).unwrap();
    assert_eq!((texture.width(), texture.height()), (1024, 1024));
    // The picture beside the outputs is never overwritten by a texture of its name.
    let before = fs::read(home.path().join("my chair.png")).unwrap();
    for output in ["my chair.obj", "chair.zip"] {
        let mut call = trellis(home.path());
        let made = call
            .args(["generate", "my chair.png", "-o", output])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    assert_eq!(fs::read(home.path().join("my chair.png")).unwrap(), before);
    let zip = fs::read(home.path().join("chair.zip")).unwrap();
    assert!(zip.starts_with(b"PK\x03\x04"), "one file with all of it");
    let inside: Vec<String> = trellis_obj::Bundle::from_zip(&zip)
        .unwrap()
        .files
        .into_iter()
        .map(|file| file.name)
        .collect();
    assert_eq!(inside, ["model.obj", "model.mtl", "model.texture.png"]);
}

#[test]
fn an_output_that_cannot_be_written_is_a_failure_with_a_hint() {
    let home = home(&["photo.png"]);
    let text = describe(trellis(home.path()).args(["generate", "photo.png", "-o", "photo.png/chair.glb"]));
    filters(home.path()).bind(|| insta::assert_snapshot!("generate_unwritable", text));
}

/// A script that writes to a full disk must not believe that it has every line.
#[test]
fn results_that_cannot_be_written_are_a_failure() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("photo.png"), picture::png(64, 90)).unwrap();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut call = trellis(home.path());
    call.args(["generate", "photo.png", "-o", "chair.glb", "--json"])
        .stdout(full);
    let output = call.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("error: cannot write to standard output: "),
        "{said}"
    );
}

/// A container or a service may have no home; nothing is kept there.
#[test]
fn no_home_is_needed_to_make_a_file() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("photo.png"), picture::png(64, 90)).unwrap();
    let mut call = trellis(home.path());
    call.env_remove("HOME")
        .args(["generate", "photo.png", "-o", "chair.glb"]);
    let output = call.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_picture_without_an_end_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let mut call = trellis(home.path());
    call.env("TRELLIS_LIMITS_BODY_BYTES", "4096");
    call.args(["generate", "/dev/zero", "-o", "chair.glb"]);
    let output = call.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the limit is 4096"), "{said}");
}
