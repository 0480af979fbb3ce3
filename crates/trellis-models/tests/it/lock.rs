//! Locks: written, verified, and every way in which a folder can depart from one.

use std::fs;

use trellis_models::lock::{self, Lock};

use crate::kit::{HASHING, Machine, lines, located};

#[test]
fn a_lock_verifies_what_it_locked_and_names_each_departure() {
    let machine = Machine::with_small_extras();
    let folder = machine.model();
    let path = lock::lock_path(&located(&folder), &machine.places);
    lock::make(&folder, &machine.places, HASHING)
        .unwrap()
        .write(&path)
        .unwrap();
    let locked = Lock::read(&path).unwrap();
    assert_eq!(locked.files.len(), 13);
    assert_eq!(locked.extras.len(), 3);
    assert!(locked.verify(&folder, &machine.places, Some(HASHING)).is_empty());

    let weights = folder.join("ckpts/ss_dec_conv3d_16l8_fp16.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&weights, bytes).unwrap();
    fs::write(folder.join("ckpts/ss_dec_conv3d_16l8_fp16.json"), "{}").unwrap();
    fs::remove_file(folder.join("ckpts/slat_dec_gs_swin8_B_64l8gs32_fp16.json")).unwrap();
    fs::write(machine.places.u2net.join("u2net.onnx"), "other").unwrap();
    let by_size = locked.verify(&folder, &machine.places, None);
    let by_hash = locked.verify(&folder, &machine.places, Some(HASHING));
    insta::assert_debug_snapshot!([by_size, by_hash].map(|found| lines(&found, machine.root.path())));
}

#[test]
fn refuses_a_lock_that_leads_out_of_the_folder_or_is_of_another_format() {
    let machine = Machine::new();
    let path = machine.path("lock.json");
    let digest = "0".repeat(64);
    for (text, word) in [
        (
            format!(r#"{{"version":1,"files":[{{"path":"../x","size":1,"sha256":"{digest}"}}]}}"#),
            "../x",
        ),
        (
            r#"{"version":1,"files":[{"path":"x","size":1,"sha256":"zz"}]}"#.to_owned(),
            "`zz` is not a SHA-256 digest",
        ),
        (r#"{"version":2,"files":[]}"#.to_owned(), "lock format 2"),
        (r#"{"version":1,"files":[],"extra":1}"#.to_owned(), "extra"),
    ] {
        fs::write(&path, &text).unwrap();
        let error = Lock::read(&path).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains(word), "{text}: {cause}");
    }
}

#[test]
fn an_extra_s_digest_is_read_strictly_too() {
    let machine = Machine::new();
    let path = machine.path("lock.json");
    let lock = |digest: &str| {
        format!(r#"{{"version":1,"files":[],"extras":[{{"name":"u2net","size":1,"sha256":"{digest}"}}]}}"#)
    };
    fs::write(&path, lock(&"0".repeat(64))).unwrap();
    assert_eq!(Lock::read(&path).unwrap().bytes(), 1);
    fs::write(&path, lock("zz")).unwrap();
    assert!(Lock::read(&path).is_err());
}

#[test]
fn the_nix_form_holds_every_file() {
    let machine = Machine::with_small_extras();
    let folder = machine.model();
    let mut locked = lock::make(&folder, &machine.places, HASHING).unwrap();
    locked.repo = Some("microsoft/TRELLIS-image-large".to_owned());
    locked.revision = Some("0123456789abcdef".to_owned());
    let text = locked.to_nix();
    assert_eq!(text.matches("hash = \"sha256-").count(), 13 + 2);
    assert!(text.contains("\"dinov2_code\" = { narHash = \"sha256-"));
    assert!(text.contains("repo = \"microsoft/TRELLIS-image-large\";"));
}

#[test]
fn the_lock_of_a_snapshot_lies_outside_the_cache() {
    let machine = Machine::new();
    let snapshot = machine.snapshot("org/name", "0123456789abcdef");
    let path = lock::lock_path(&located(&snapshot), &machine.places);
    assert!(
        path.starts_with(&machine.places.state) && path.ends_with("models--org--name/0123456789abcdef.json")
    );
}

#[test]
fn a_snapshot_s_blobs_are_named_by_what_they_hash_to() {
    let machine = Machine::new();
    let snapshot = machine.snapshot("org/name", "0123456789abcdef");
    let name = "ckpts/ss_dec_conv3d_16l8_fp16.safetensors";
    let link = snapshot.join(name);
    let blob = fs::canonicalize(&link).unwrap();
    let digest = trellis_models::hash::sha256(&blob, &|_| {}).unwrap().to_string();
    let named = blob.with_file_name(&digest);
    fs::rename(&blob, &named).unwrap();
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(&named, &link).unwrap();
    let files = [name.to_owned()];
    assert!(lock::verify_blobs(&snapshot, &files, &|_| {}).is_empty());
    let mut bytes = fs::read(&named).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&named, bytes).unwrap();
    let found = lock::verify_blobs(&snapshot, &files, &|_| {});
    assert!(
        matches!(&found[..], [trellis_models::Problem::BlobHash { expected, .. }] if *expected == digest)
    );
}
