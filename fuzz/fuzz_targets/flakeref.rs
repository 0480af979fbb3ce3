//! Flake references from anybody: parse → print → parse gives the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nix_compat::flakeref::FlakeRef;

fuzz_target!(|text: &str| {
    if let Ok(reference) = text.parse::<FlakeRef>() {
        assert_eq!(reference.to_uri().as_str().parse(), Ok(reference));
    }
});
