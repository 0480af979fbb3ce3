//! Any bytes as a section of fatbins: no panic, and no more entries than fit.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trellis_doctor::code::fatbin::{Item, container, scan, walk};

fuzz_target!(|bytes: &[u8]| {
    let all = 0..bytes.len() as u64;
    let mut entries = 0;
    let mut visit = |item: Item| entries += usize::from(matches!(item, Item::Entry(_)));
    let _ = walk(bytes, all.clone(), &mut visit);
    assert!(entries <= bytes.len() / 64);
    let mut embedded = 0;
    let mut visit = |item: Item| embedded += usize::from(matches!(item, Item::Entry(_)));
    scan(bytes, all.clone(), &mut visit).expect("what only looks like a fatbin is passed over");
    assert!(embedded <= bytes.len() / 64);
    let _ = container(bytes, all, &mut |_| {});
});
