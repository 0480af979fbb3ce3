//! `pipeline.json` from anybody: an answer or an error, in bounded stack, and no name that leaves its folder.
#![no_main]

use std::path::{Component, Path};

use libfuzzer_sys::fuzz_target;
use trellis_models::pipeline::Pipeline;

fuzz_target!(|text: &[u8]| {
    let Ok(pipeline) = Pipeline::parse(text) else {
        return;
    };
    let folder = Path::new("/folder");
    for reference in pipeline.references() {
        let (config, weights) = reference.files_in(folder);
        for path in [config, weights] {
            assert!(path.starts_with(folder));
            assert!(path.components().all(|part| part != Component::ParentDir));
        }
        if let Some((repo, name)) = reference.other_repo() {
            assert_eq!(format!("{repo}/{}", name.as_str()), reference.as_str());
        }
    }
    assert_eq!(pipeline.files_read(folder)[0], "pipeline.json");
});
