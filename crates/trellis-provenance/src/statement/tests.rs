//! A statement's form, and that it says what its record says.

use trellis_core::{AssetName, GpuUsed, ParamsPatch};

use super::*;

fn provenance() -> Provenance {
    Provenance {
        schema: Schema,
        inputs: vec![Sha256::from([0; 32])],
        source: None,
        name: AssetName::of_file("chair.png"),
        params: ParamsPatch::default().resolve(7).unwrap(),
        backend: "trellis".to_owned(),
        variant: Some("ATTN_BACKEND=xformers".to_owned()),
        server: ServerBuild {
            version: "0.1.0".to_owned(),
            pin: Pin::Nix {
                store_path: "/nix/store/0c6kzph7l0dcbfmjap64f0czdafn3b7x-trellis-0.1.0".to_owned(),
                nar_hash: Some("sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".to_owned()),
            },
        },
        python_env: Some(PythonEnv {
            versions: BTreeMap::from([("torch".to_owned(), "2.9.1+cu128".to_owned())]),
            pin: Pin::Unpinned { sha256: None },
        }),
        model_lock: Some(Sha256::from([0x33; 32])),
        tuning: Some(Sha256::from([0x44; 32])),
        gpu: Some(GpuUsed {
            name: "NVIDIA GeForce RTX 5090".to_owned(),
            capability: "12.0".to_owned(),
            driver: None,
        }),
        non_commercial: vec!["nvdiffrast".to_owned()],
    }
}

pub(crate) fn statement() -> Statement {
    let file = Subject {
        name: "model.glb".to_owned(),
        sha256: Sha256::from([0x11; 32]),
        media_type: "model/gltf-binary".to_owned(),
    };
    Statement::new(&[file], &provenance(), &run())
}

fn run() -> Run {
    Run {
        id: "01890a5d-ac96-774b-bcce-b302099a8057".to_owned(),
        started_at: "2026-01-02T03:04:05Z".parse().unwrap(),
        finished_at: "2026-01-02T03:05:06.5Z".parse().unwrap(),
    }
}

#[test]
fn its_form_is_stable() {
    insta::assert_json_snapshot!(statement());
}

#[test]
fn it_is_read_as_it_was_written() {
    let read: Statement = serde_json::from_slice(&statement().to_json()).unwrap();
    assert_eq!(read, statement());
}

#[test]
fn it_agrees_with_its_record_and_no_other() {
    assert!(statement().agrees_with(&provenance()));
    let mut other = provenance();
    other.params.seed += 1;
    assert!(!statement().agrees_with(&other));
    let mut other = provenance();
    other.gpu = None;
    assert!(!statement().agrees_with(&other));
    let mut other = provenance();
    other.variant = Some("ATTN_BACKEND=sdpa".to_owned());
    assert!(!statement().agrees_with(&other));
    // A statement of before a parameter was there is about the same parameters.
    let mut old = statement();
    let params = &mut old.predicate.build_definition.external_parameters["params"];
    assert!(params.as_object_mut().unwrap().remove("stl_size_mm").is_some());
    assert!(old.agrees_with(&provenance()));
    assert!(statement().is_about([0x11; 32].into()) && !statement().is_about([0x22; 32].into()));
}

#[test]
fn what_the_files_are_made_from_is_called_what_it_is() {
    for (backend, name) in [("export", "source.glb"), ("trellis", "source.safetensors")] {
        let record = Provenance {
            source: Some(Sha256::from([0x55; 32])),
            backend: backend.to_owned(),
            ..provenance()
        };
        let stated = Statement::new(&[], &record, &run());
        assert!(stated.agrees_with(&record), "{backend}");
        let used = &stated.predicate.build_definition.resolved_dependencies;
        let named: Vec<&str> = used
            .iter()
            .filter(|used| used.sha256() == record.source)
            .map(|used| used.name.as_str())
            .collect();
        assert_eq!(named, [name]);
    }
}
