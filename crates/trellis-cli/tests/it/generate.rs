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
            // As people write it.
            "GLB, stl",
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        files(&home.path().join("out")),
        [
            "c.glb",
            "c.stl",
            "more-a.glb",
            "more-a.stl",
            "photos-a.glb",
            "photos-a.stl"
        ]
    );
    let mut paths: Vec<_> = std::str::from_utf8(&output.stdout).unwrap().lines().collect();
    paths.sort_unstable();
    assert_eq!(paths.len(), 6);
    assert_eq!(paths[0], "out/c.glb");
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

/// A folder as it comes from a phone, a browser and a git checkout.
fn mixed() -> TempDir {
    let home = home(&["photos/ok.png"]);
    let photos = home.path().join("photos");
    let png = image::load_from_memory(&picture::png(96, 120)).expect("a picture");
    png.save(photos.join("ok.jpg")).expect("a file");
    png.save(photos.join("old.bmp")).expect("a file");
    let others: [(&str, &[u8]); 3] = [
        ("phone.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
        (
            "large.bin",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
        ),
        ("renamed.jpg", b"<!doctype html><title>404</title>"),
    ];
    for (name, bytes) in others {
        fs::write(photos.join(name), bytes).expect("a file");
    }
    home
}

#[test]
fn what_a_folder_holds_besides_is_listed_with_its_reason() {
    let home = mixed();
    let call = || {
        let mut call = trellis(home.path());
        call.args(["generate", "photos", "-o", "photos/"]);
        call.output().unwrap()
    };
    let output = call();
    assert_eq!(output.status.code(), Some(1));
    let mut paths: Vec<_> = std::str::from_utf8(&output.stdout).unwrap().lines().collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        ["photos/ok.jpg.glb", "photos/ok.png.glb", "photos/old.glb"]
    );
    let stderr = String::from_utf8(output.stderr).unwrap();
    let end = stderr.split_once("\n\n").expect("a list after an empty line").1;
    filters(home.path()).bind(|| insta::assert_snapshot!("generate_passed_over", end));
    // What it wrote itself is no news the next time.
    let again = String::from_utf8(call().stderr).unwrap();
    assert!(again.contains("\n2 passed over:"), "{again}");
}

#[test]
fn json_has_a_line_for_what_is_passed_over() {
    let home = mixed();
    let output = trellis(home.path())
        .args(["generate", "photos", "-o", "out/", "--json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |state: &str| -> Vec<&Value> { lines.iter().filter(|line| line["state"] == state).collect() };
    assert_eq!((of("succeeded").len(), of("failed").len()), (3, 1));
    let passed = of("passed_over");
    let pictures: Vec<&Value> = passed.iter().map(|line| &line["pictures"][0]).collect();
    assert_eq!(pictures, ["photos/large.bin", "photos/phone.heic"]);
    assert_eq!(passed[0]["failure"]["kind"], "picture_format");
    assert!(
        passed[0]["failure"]["message"]
            .as_str()
            .unwrap()
            .contains("a git-lfs pointer")
    );
    assert!(
        passed[0]["failure"]["fix"]
            .as_str()
            .unwrap()
            .contains("git lfs pull")
    );
}

#[test]
fn a_folder_with_nothing_to_make_from_says_what_is_in_it() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("photos")).unwrap();
    fs::write(home.path().join("photos/photo.pdf"), "%PDF-1.7").unwrap();
    let text = describe(trellis(home.path()).args(["generate", "photos"]));
    filters(home.path()).bind(|| insta::assert_snapshot!("generate_nothing", text));
}

#[test]
fn an_animation_is_made_from_its_first_frame_with_a_note() {
    let home = tempfile::tempdir().unwrap();
    let frame = image::load_from_memory(&picture::png(64, 90))
        .unwrap()
        .into_rgba8();
    let mut encoder =
        image::codecs::gif::GifEncoder::new(fs::File::create(home.path().join("a.gif")).unwrap());
    for _ in 0..3 {
        encoder.encode_frame(image::Frame::new(frame.clone())).unwrap();
    }
    drop(encoder);
    let output = trellis(home.path())
        .args(["generate", "a.gif", "-o", "a.glb", "--json"])
        .output()
        .unwrap();
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    let note = "the picture is an animation: its first frame was used, 2 more frames were left out";
    assert_eq!(
        (&line["state"], &line["notes"][0]),
        (&"succeeded".into(), &note.into()),
        "{line}"
    );
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
    let inside: Vec<String> = trellis_convert::Bundle::from_zip(&zip)
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
