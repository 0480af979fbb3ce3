//! A closure as Nix told a build of it (`tests/goldens/make-derivations`).

use std::fs;
use std::path::Path;

use nix_compat::path_info::ExportedPathInfo;
use serde_json::{Value, json};

#[test]
fn nix_tells_a_build_the_same() {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/made-derivations/exported.json");
    let text = fs::read_to_string(goldens).unwrap();
    let infos: Vec<ExportedPathInfo> = serde_json::from_str(&text).unwrap();
    let [deep, text_file] = &infos[..] else {
        panic!("{infos:?}")
    };
    assert_eq!((*deep.path.name(), *text_file.path.name()), ("deep", "text"));
    assert_eq!(text_file.closure_size, deep.nar_size + text_file.nar_size);
    assert!(text_file.references.contains(&deep.path));
    assert!(deep < text_file);

    // Written is what was read, but for the fields that are not kept.
    let mut expected: Value = serde_json::from_str(&text).unwrap();
    for info in expected.as_array_mut().unwrap() {
        for name in ["ca", "valid"] {
            info.as_object_mut().unwrap().remove(name).unwrap();
        }
    }
    assert_eq!(json!(infos), expected);
}

#[test]
fn reads_sri_hashes_derivers_and_signatures() {
    let signature = format!("cache-1:{}==", "A".repeat(86));
    let record = json!({
        "closureSize": 120,
        "deriver": "/nix/store/lawzqm635v2j5ba19znc2vb0whp3zlas-told.drv",
        "narHash": "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "narSize": 120,
        "path": "/nix/store/7gm44b6gip020kvb3hv7lry79miyckvh-deep",
        "references": [],
        "signatures": [signature],
    });
    let text = record.to_string();
    let info: ExportedPathInfo = serde_json::from_str(&text).unwrap();
    let mut expected = record.clone();
    expected["narHash"] = json!("sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73");
    assert_eq!(json!(info), expected);

    let mut without = record;
    without.as_object_mut().unwrap().remove("closureSize");
    let text = without.to_string();
    let error = serde_json::from_str::<ExportedPathInfo>(&text).unwrap_err();
    assert!(
        error.to_string().contains("missing field `closureSize`"),
        "{error}"
    );
}
