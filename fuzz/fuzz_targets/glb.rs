//! Any bytes as a GLB: what can be stamped has its record, keeps what follows the text, and does not change
//! when it is stamped again.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use trellis_core::Provenance;
use trellis_provenance::glb;

static RECORD: LazyLock<Provenance> = LazyLock::new(|| {
    let text = r#"{"schema":1,"inputs":[],"backend":"relief","server":{"version":"0","pin":"unpinned"},
        "params":{"seed":7,"ss_sampling_steps":12,"ss_guidance_strength":7.5,"slat_sampling_steps":12,
        "slat_guidance_strength":3.0,"multiimage_algo":"stochastic","mesh_simplify":0.95,"texture_size":1024,
        "formats":["glb"],"remove_background":true}}"#;
    serde_json::from_str(text).expect("a record")
});

fuzz_target!(|bytes: &[u8]| {
    let mut once = Vec::new();
    if glb::stamp(&mut &bytes[..], &mut once, &RECORD).is_err() {
        return;
    }
    assert_eq!(glb::read(&mut &once[..]).expect("a record"), *RECORD);
    let text = |file: &[u8]| u32::from_le_bytes([file[12], file[13], file[14], file[15]]) as usize;
    assert_eq!(bytes[20 + text(bytes)..], once[20 + text(&once)..]);
    let mut twice = Vec::new();
    glb::stamp(&mut &once[..], &mut twice, &RECORD).expect("what was stamped can be stamped");
    assert_eq!(once, twice);
});
