//! Derivations from anybody: parse → print → parse gives the same, and every path can be computed or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nix_compat::derivation::Derivation;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut derivation) = Derivation::from_aterm_bytes(bytes) else {
        return;
    };
    let printed = derivation.to_aterm_bytes();
    assert_eq!(Derivation::from_aterm_bytes(&printed).as_ref(), Ok(&derivation));
    let hash = derivation.hash_derivation_modulo(|input| [input.digest()[0]; 32]);
    assert!(derivation.fod_digest().is_none_or(|fixed| fixed == hash));
    let _too_long = derivation.calculate_derivation_path("name");
    if derivation.calculate_output_paths("name", &hash).is_ok() {
        assert_eq!(derivation.validate(true), Ok(()));
    }
});
