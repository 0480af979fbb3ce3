//! Trees are hashed as Nix hashes them.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use trellis_closure::{ClosureError, hash_path};
use trellis_core::Explain as _;

/// Names whose order depends on who sorts, each kind of file, and a file of several blocks.
fn write_tree(tree: &Path) {
    fs::create_dir_all(tree.join("a/empty")).unwrap();
    symlink("../nowhere", tree.join("a/link")).unwrap();
    for (name, text) in [
        ("a-b", "x"),
        ("a.b", ""),
        ("é", "12345678"),
        ("B", "upper"),
        ("run", "#!/bin/sh\n"),
    ] {
        fs::write(tree.join(name), text).unwrap();
    }
    fs::set_permissions(tree.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    let big: Vec<u8> = (0..1_000_003_u32).map(|at| (at % 251).to_le_bytes()[0]).collect();
    fs::write(tree.join("big"), big).unwrap();
}

/// What `nix hash path --sri` and `nix-store --dump | wc -c` of Nix 2.26.3 print for this tree.
#[test]
fn agrees_with_nix() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("t");
    write_tree(&tree);
    let expected = [
        (
            "",
            "sha256-RM3zyZ+Ya4sfAr9fPiR8ucYZnMPhBLy/QrAZzEKglrs=",
            1_001_816,
        ),
        (
            "big",
            "sha256-H+4E5x/niEieyOAXp+9FEBGtWIItvXkb3oWE96fm1h8=",
            1_000_120,
        ),
        ("run", "sha256-YoPBZoJg+QPRqJXAzWuCL6S2h2K7CxfO3vLTnZfiZVQ=", 160),
        (
            "a/link",
            "sha256-dbI1HNs8Qmw97+RN8LoWtkdXlApVa1EEUC1D1hlMNhs=",
            128,
        ),
        (
            "a/empty",
            "sha256-pQpattmS9VmO3ZIQUFn66az8GSmB4IvYhTTCFn6SUmo=",
            96,
        ),
    ];
    for (name, hash, bytes) in expected {
        let path = if name.is_empty() {
            tree.clone()
        } else {
            tree.join(name)
        };
        let (found, size) = hash_path(&path).unwrap();
        assert_eq!((found.to_sri_string().as_str(), size), (hash, bytes), "{name}");
    }
}

/// The other user writes while the file is read: `hash_path_with` tells of each block, and the test writes then.
#[test]
fn a_file_that_changes_while_it_is_hashed_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    // More than the blocks that may wait, so that the reader is still at it when the first one is hashed.
    fs::write(&file, vec![7; 8 << 20]).unwrap();
    let changes: [fn(&Path); 3] = [
        |file| fs::write(file, "short").unwrap(),
        |file| {
            let longer = vec![7; 9 << 20];
            fs::write(file, longer).unwrap();
        },
        |file| {
            use std::io::{Seek as _, SeekFrom, Write as _};
            let mut open = fs::OpenOptions::new().write(true).open(file).unwrap();
            open.seek(SeekFrom::Start(0)).unwrap();
            open.write_all(b"in place").unwrap();
        },
    ];
    for change in changes {
        fs::write(&file, vec![7; 8 << 20]).unwrap();
        let once = std::sync::Once::new();
        let hashed = trellis_closure::hash_path_with(&file, &|_| once.call_once(|| change(&file)));
        assert!(matches!(hashed, Err(ClosureError::Changed { .. })), "{hashed:?}");
    }
}

#[test]
fn what_cannot_be_hashed_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let absent = hash_path(&folder.path().join("absent")).unwrap_err();
    assert_eq!(absent.kind(), "unreadable");
    let mut deep = folder.path().join("deep");
    let top = deep.clone();
    for _ in 0..200 {
        deep.push("d");
    }
    fs::create_dir_all(&deep).unwrap();
    let error = hash_path(&top).unwrap_err();
    assert_eq!(error.kind(), "too_deep", "{error}");
}
