//! Random and hostile bytes: an answer, never a panic, and never a read outside the folder.

use std::fs;

use crate::sample;
use proptest::prelude::*;
use trellis_models::Reference;
use trellis_models::header::Header;
use trellis_models::pipeline::Pipeline;

use crate::kit::Machine;

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_a_header_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Header::from_reader(&bytes[..], bytes.len() as u64);
    }

    #[test]
    fn any_json_with_a_true_length_is_a_header_or_an_error(json in "[\\[\\]{}:,\"a-z0-9_.-]{0,200}", claim in any::<u64>()) {
        let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(json.as_bytes());
        let _ = Header::from_reader(&bytes[..], claim.max(bytes.len() as u64));
    }

    #[test]
    fn a_mutated_header_accounts_for_every_byte_or_is_refused(at in any::<prop::sample::Index>(), value in any::<u8>()) {
        let folder = tempfile::tempdir().unwrap();
        sample::write_checkpoint(folder.path(), "x", "SparseStructureDecoder").unwrap();
        let mut bytes = fs::read(folder.path().join("ckpts/x.safetensors")).unwrap();
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap());
        let at = at.index(8 + usize::try_from(header).unwrap());
        bytes[at] = value;
        if let Ok(header) = Header::from_reader(&bytes[..], bytes.len() as u64) {
            let size: u64 = header.tensors.values()
                .map(|t| t.shape.iter().product::<u64>() * t.dtype.bitsize() as u64 / 8)
                .sum();
            prop_assert!(size <= bytes.len() as u64);
        }
    }

    #[test]
    fn a_reference_never_leaves_its_folder(text in "[./a-zA-Z\\\\\u{0}-]{0,40}") {
        if let Ok(reference) = Reference::parse(&text) {
            let (config, _) = reference.files_in(std::path::Path::new("/root/folder"));
            prop_assert!(config.starts_with("/root/folder"));
            prop_assert!(config.components().all(|part| part.as_os_str() != ".."));
        }
    }

    #[test]
    fn any_text_is_a_pipeline_or_an_error(text in ".{0,300}") {
        let _ = Pipeline::parse(text.as_bytes());
    }

    #[test]
    fn any_pipeline_can_be_checked(role in "[a-z_]{1,12}", name in "\\PC{0,30}", number in any::<f64>()) {
        let machine = Machine::new();
        let folder = machine.path("model");
        fs::create_dir_all(&folder).unwrap();
        let pipeline = serde_json::json!({
            "name": "TrellisImageTo3DPipeline",
            "args": {
                "models": { "slat_flow_model": name, role: name },
                "slat_sampler": { "name": "FlowEulerSampler", "params": { "steps": number } },
            },
        });
        fs::write(folder.join("pipeline.json"), pipeline.to_string()).unwrap();
        let report = machine.check(&folder);
        prop_assert!(!report.passed());
    }
}
