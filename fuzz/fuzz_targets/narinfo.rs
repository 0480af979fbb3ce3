//! Narinfo files from anybody: parse → print → parse gives the same path, with the same fingerprint to be signed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nix_compat::narinfo::{Flags, NarInfo};

fuzz_target!(|text: &str| {
    let Ok(info) = NarInfo::parse(text) else { return };
    let printed = info.to_string();
    let again = NarInfo::parse(&printed).unwrap();
    assert_eq!(again.fingerprint(), info.fingerprint());
    assert_eq!(again.to_string(), printed);
    // What was odd about the text is gone, but the order of references, which is kept.
    let kept = Flags::REFERENCES_OUT_OF_ORDER;
    assert_eq!(again.flags, info.flags & kept);
    let fields = |info: &NarInfo<'_>| format!("{:?}", (&info.signatures, &info.ca, info.system, info.url));
    assert_eq!(fields(&again), fields(&info));
    assert_eq!(again.deriver, info.deriver);
    assert_eq!((again.compression, again.file_hash, again.file_size), (info.compression, info.file_hash, info.file_size));
});
