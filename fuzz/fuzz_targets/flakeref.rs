//! Flake references from anybody: parse → print → parse gives the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nix_compat::flakeref::FlakeRef;

fuzz_target!(|text: &str| {
    let Ok(reference) = text.parse::<FlakeRef>() else {
        return;
    };
    let uri = reference.to_uri();
    let again: FlakeRef = uri.as_str().parse().unwrap();
    // Printing resolves the dots of a path.
    let dots = matches!(&reference, FlakeRef::Path { path, .. } if path.to_string_lossy().contains('.'));
    assert!(
        again == reference || dots,
        "{uri} is {again:?} and was {reference:?}"
    );
});
