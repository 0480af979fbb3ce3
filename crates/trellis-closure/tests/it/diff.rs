//! What changed between two closures.

use trellis_closure::{Kind, Store, diff};

use crate::kit::Sample;

#[test]
fn packages_are_compared_by_name_and_version() {
    let sample = Sample::new();
    let glibc = sample.package('1', "glibc-2.40", &[]);
    let newer_glibc = sample.package('2', "glibc-2.41", &[]);
    let zlib = sample.package('3', "zlib-1.3", &[&glibc]);
    let rebuilt_zlib = sample.package('4', "zlib-1.3", &[&newer_glibc]);
    let old_only = sample.package('5', "curl-8.0", &[]);
    let new_only = sample.package('6', "wget-1.0-unstable", &[]);
    let source = sample.package('7', "source", &[]);
    let before = sample.package('8', "app-1", &[&zlib, &old_only, &source]);
    let after = sample.package('9', "app-2", &[&rebuilt_zlib, &new_only, &source]);

    let store = Store::open(sample.root()).unwrap();
    let closure = |path| store.closure(path).unwrap();
    let changed = diff(&closure(&before), &closure(&after));
    let kinds: Vec<_> = changed
        .changes
        .iter()
        .map(|change| (change.name.as_str(), change.kind))
        .collect();
    assert_eq!(
        kinds,
        [
            ("app", Kind::Changed),
            ("curl", Kind::Removed),
            ("glibc", Kind::Changed),
            ("wget", Kind::Added),
            ("zlib", Kind::Rebuilt),
        ]
    );
    assert_eq!((changed.before.paths, changed.after.paths), (5, 5));
    let difference: i64 = changed
        .changes
        .iter()
        .map(|change| change.bytes_after.cast_signed() - change.bytes_before.cast_signed())
        .sum();
    assert_eq!(
        difference,
        changed.after.bytes.cast_signed() - changed.before.bytes.cast_signed()
    );
    assert_eq!(diff(&closure(&before), &closure(&before)).changes, []);
}
