//! Safetensors headers from anybody: parse → print → parse gives the same tensors, and a header that is taken
//! accounts for every byte of its file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trellis_models::header::{Header, HeaderError, MAX_HEADER_BYTES};

fuzz_target!(|bytes: &[u8]| {
    // As a file cut off after its header, too: the length that it asks for must be one that is then taken.
    let header = match Header::from_reader(bytes, bytes.len() as u64) {
        Ok(header) => header,
        Err(HeaderError::Truncated { expected, .. }) if bytes.len() >= 8 => {
            match Header::from_reader(bytes, expected) {
                Ok(header) => header,
                Err(_) => return,
            }
        }
        Err(_) => return,
    };
    let mut at = 0;
    let mut printed = serde_json::Map::new();
    for (name, tensor) in &header.tensors {
        let bits = tensor.shape.iter().product::<u64>() * tensor.dtype.bitsize() as u64;
        let end = at + bits / 8;
        printed.insert(
            name.clone(),
            serde_json::json!({ "dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [at, end] }),
        );
        at = end;
    }
    assert!(at <= header.file_bytes);
    let json = serde_json::to_vec(&printed).unwrap();
    if json.len() as u64 > MAX_HEADER_BYTES {
        return; // escapes may make it longer than it came
    }
    let mut again = (json.len() as u64).to_le_bytes().to_vec();
    again.extend_from_slice(&json);
    let length = again.len() as u64 + at;
    let parsed = Header::from_reader(&again[..], length).unwrap();
    assert_eq!(parsed.tensors, header.tensors);
});
