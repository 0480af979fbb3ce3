//! Any bytes as an OBJ or a PLY: what is read is a mesh within its limits, and the same when it is read again. Not GLBs:
//! their reader may panic, which the caller catches and a fuzzer does not.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trellis_mesh::{Limits, probe, read};

const LIMITS: Limits = Limits { triangles: 1 << 16 };

fuzz_target!(|bytes: &[u8]| {
    if bytes.starts_with(b"glTF") {
        return;
    }
    let Ok((format, mesh)) = read(bytes, LIMITS) else {
        assert!(probe(bytes, LIMITS).is_err());
        return;
    };
    assert!(!mesh.triangles.is_empty() && mesh.triangles.len() <= LIMITS.triangles);
    let count = mesh.vertices.len();
    assert!(mesh.triangles.iter().flatten().all(|vertex| (*vertex as usize) < count));
    assert!(mesh.uvs.is_empty() || mesh.uvs.len() == count);
    assert!(mesh.normals.is_empty() || mesh.normals.len() == count);
    assert_eq!(read(bytes, LIMITS), Ok((format, mesh)));
});
