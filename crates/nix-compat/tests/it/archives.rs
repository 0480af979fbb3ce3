//! Archives as `nix-store --dump` writes them and `nix hash path` hashes them.

use std::io::ErrorKind;

use nix_compat::{nar, nixbase32};
use sha2::{Digest, Sha256};

use crate::kit::{Tree, golden, rows};

fn goldens() -> impl Iterator<Item = (String, Vec<u8>)> {
    rows("nars.tsv").into_iter().map(|[name, digest, size]| {
        let nar = std::fs::read(golden(&format!("nars/{name}.nar"))).unwrap();
        assert_eq!(nixbase32::encode(&Sha256::digest(&nar)), digest, "{name}");
        assert_eq!(nar.len().to_string(), size, "{name}");
        (name, nar)
    })
}

/// As `find` prints them: kind, mode, size, path, target; sorted by bytes.
fn listing(tree: &Tree) -> Vec<u8> {
    fn add(lines: &mut Vec<Vec<u8>>, path: &[u8], tree: &Tree) {
        lines.push(match tree {
            Tree::Symlink(target) => [b"l\t\t\t", path, b"\t", target].concat(),
            Tree::Directory(_) => [b"d\t\t\t", path, b"\t"].concat(),
            Tree::File { executable, contents } => {
                let mode = if *executable { 755 } else { 644 };
                [format!("f\t{mode}\t{}\t", contents.len()).as_bytes(), path, b"\t"].concat()
            }
        });
        let Tree::Directory(entries) = tree else { return };
        for (name, tree) in entries {
            let slash: &[u8] = if path.is_empty() { b"" } else { b"/" };
            add(lines, &[path, slash, name].concat(), tree);
        }
    }
    let mut lines = Vec::new();
    add(&mut lines, b"", tree);
    lines.sort();
    lines
        .into_iter()
        .flat_map(|line| [line, vec![0]].concat())
        .collect()
}

#[test]
fn trees_are_read_and_written_as_nix_does() {
    for (name, nar) in goldens() {
        for buffer in [1, 7, 8192] {
            let tree = Tree::from_nar(&nar, buffer).unwrap();
            let expected = std::fs::read(golden(&format!("nars/{name}.find"))).unwrap();
            let found = listing(&tree);
            assert_eq!(
                String::from_utf8_lossy(&found),
                String::from_utf8_lossy(&expected),
                "{name}"
            );
            assert_eq!(found, expected, "{name}");
            assert_eq!(tree.to_nar(), nar, "{name}");
        }
        let mut copied = Vec::new();
        nar::copy(&mut nar.as_slice(), &mut copied).unwrap();
        assert_eq!(copied, nar, "{name}");
    }
}

#[test]
fn an_archive_cut_short_anywhere_is_refused() {
    for (name, nar) in goldens() {
        for end in 0..nar.len() {
            let error = nar::copy(&mut &nar[..end], &mut Vec::new()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{name} to {end}: {error}");
            assert!(Tree::from_nar(&nar[..end], 64).is_err(), "{name} to {end}");
        }
    }
}

#[test]
fn a_changed_byte_is_refused_or_read_as_another_tree() {
    for (name, nar) in goldens() {
        let tree = Tree::from_nar(&nar, 64).unwrap();
        let (mut refused, mut other) = (0, 0);
        for position in 0..nar.len() {
            // Mostly bits that make small lengths of small lengths.
            for bit in [0, position % 8] {
                let mut changed = nar.clone();
                changed[position] ^= 1 << bit;
                let mut copied = Vec::new();
                if nar::copy(&mut changed.as_slice(), &mut copied).is_err() {
                    assert!(Tree::from_nar(&changed, 64).is_err(), "{name}, byte {position}");
                    refused += 1;
                    continue;
                }
                // What was read is written the same again: nothing is read over.
                assert_eq!(copied, changed[..copied.len()], "{name}, byte {position}");
                assert_ne!(
                    Tree::from_nar(&changed, 64).unwrap(),
                    tree,
                    "{name}, byte {position}"
                );
                other += 1;
            }
        }
        assert!(
            refused > 0 && (other > 0 || name.starts_with("empty")),
            "{name}: {refused}, {other}"
        );
    }
}

#[test]
fn what_follows_an_archive_is_left_in_the_reader() {
    for (name, mut nar) in goldens() {
        nar.extend_from_slice(b"more");
        let mut rest = nar.as_slice();
        nar::copy(&mut rest, &mut Vec::new()).unwrap();
        assert_eq!(rest, b"more", "{name}");
    }
}
