//! Files made to break a reader: nothing panics, nothing grows beyond the file.

use std::fs;

use proptest::prelude::*;
use trellis_doctor::code::fatbin::{Item, container, scan, walk};

use crate::kit::{Env, Lib, Piece, fatbin, ptx, sass};

/// Walks a section, then anything; the number of entries, which each take 64 bytes.
fn entries(bytes: &[u8], range: std::ops::Range<u64>) -> usize {
    let mut count = 0;
    let mut visit = |item: Item| count += usize::from(matches!(item, Item::Entry(_)));
    let _ = walk(bytes, range.clone(), &mut visit);
    let _ = container(bytes, range.clone(), &mut |_| {});
    let _ = scan(bytes, range, &mut |_| {});
    count
}

fn piece() -> impl Strategy<Value = Piece> {
    (0_u16..4, 0_u32..2000, any::<u64>(), 0_u64..200).prop_map(|(kind, arch, flags, payload)| Piece {
        kind,
        arch,
        flags,
        payload,
    })
}

proptest! {
    #[test]
    fn any_bytes_are_walked(bytes in prop::collection::vec(any::<u8>(), 0..512), start: u64, end: u64) {
        let all = 0..bytes.len() as u64;
        prop_assert!(entries(&bytes, all) <= bytes.len() / 64);
        prop_assert!(entries(&bytes, start..end) <= bytes.len() / 64);
    }

    #[test]
    fn damaged_fatbins_are_walked(
        pieces in prop::collection::vec(piece(), 0..8),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = fatbin(&pieces);
        for (place, value) in damage {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        prop_assert!(entries(&bytes, 0..bytes.len() as u64) <= bytes.len() / 64);
    }

    #[test]
    fn what_is_written_is_read(pieces in prop::collection::vec((any::<bool>(), 0_u32..1000), 1..20)) {
        let pieces: Vec<Piece> =
            pieces.into_iter().map(|(text, arch)| if text { ptx(arch) } else { sass(arch) }).collect();
        let mut bytes = fatbin(&pieces);
        bytes.extend([0; 24]);
        bytes.extend(fatbin(&pieces));
        let mut found = Vec::new();
        let mut visit = |item: Item| {
            if let Item::Entry(entry) = item {
                found.push(entry.arch.number);
            }
        };
        walk(bytes.as_slice(), 0..bytes.len() as u64, &mut visit).unwrap();
        let written: Vec<u32> = pieces.iter().chain(&pieces).map(|piece| piece.arch).collect();
        prop_assert_eq!(found, written);
    }
}

#[test]
fn what_looks_like_a_container_at_the_end_of_the_file_is_passed_over() {
    // A magic with less than a header behind it, and a container whose entry has less than one.
    let magic = [
        b"........".as_slice(),
        &0xBA55_ED50_u32.to_le_bytes(),
        &[1, 0, 16, 0, 0],
    ]
    .concat();
    let mut short = fatbin(&[sass(90)]);
    short.truncate(16 + 40);
    short[8..16].copy_from_slice(&40_u64.to_le_bytes());
    for bytes in [magic, short] {
        let range = 0..bytes.len() as u64;
        scan(bytes.as_slice(), range.clone(), &mut |_| {}).unwrap();
        let error = walk(bytes.as_slice(), range, &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains("runs past the end"), "{error}");
    }
}

#[test]
fn sections_beyond_all_files_are_passed_over() {
    assert_eq!(entries(&fatbin(&[sass(90)]), u64::MAX - 3..u64::MAX), 0);
    let env = Env::new();
    let section = Some((".nv_fatbin", fatbin(&[sass(90)])));
    env.library(
        "x/_C.so",
        Lib {
            section,
            ..Lib::default()
        },
    );
    let path = env.packages().join("x/_C.so");
    let mut bytes = fs::read(&path).unwrap();
    let at = |bytes: &[u8], place: usize| u64::from_le_bytes(*bytes[place..].first_chunk().unwrap());
    let headers = usize::try_from(at(&bytes, 0x28)).unwrap();
    for header in (headers..bytes.len() - 63).step_by(64) {
        // Sections with content of the program: offset and size.
        if bytes[header + 4] == 1 {
            bytes[header + 0x18..][..8].copy_from_slice(&(u64::MAX - 4).to_le_bytes());
            bytes[header + 0x20..][..8].copy_from_slice(&(u64::MAX - 1).to_le_bytes());
        }
    }
    fs::write(&path, &bytes).unwrap();
    assert_eq!(env.report().libraries, []);
}

#[test]
fn damaged_libraries_are_read() {
    let env = Env::new();
    env.library(
        "x.libs/libthing.so.1",
        Lib {
            defines: &["_Z5thingv"],
            version: Some("THING_1"),
            ..Lib::default()
        },
    );
    let module = Lib {
        needs: &["_Z5thingv"],
        links: &["x.libs/libthing.so.1"],
        section: Some((".nv_fatbin", fatbin(&[sass(90), ptx(90)]))),
        ..Lib::default()
    };
    env.library("x/_C.so", module);
    let path = env.packages().join("x/_C.so");
    let sound = fs::read(&path).unwrap();
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..24);
    let cut = prop_oneof![4 => Just(None), 1 => any::<prop::sample::Index>().prop_map(Some)];
    let mut runner = prop::test_runner::TestRunner::deterministic();
    let outcome = runner.run(&(damage, cut), |(damage, cut)| {
        let mut bytes = sound.clone();
        for (place, value) in damage {
            // Headers and tables are at both ends.
            let place = place.index(bytes.len().min(2048));
            bytes[place] = value;
            let last = bytes.len() - 1;
            bytes[last - place] = value;
        }
        bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len())));
        fs::write(&path, &bytes).unwrap();
        env.report();
        Ok(())
    });
    outcome.unwrap();
}
