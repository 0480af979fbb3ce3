use std::collections::BTreeMap;
use std::sync::Arc;

use trellis_core::{BackendChoice, GenerateError, ParamsPatch, ServerBuild, Sha256};
use trellis_provenance::PublicKey;

use super::*;
use crate::{Capabilities, Output, Readiness, ReliefBackend, ReliefSettings, Reporter, Request};

/// A backend that works in Python, or says so; its variant, and how its kernels were chosen.
struct InPython(Capabilities, &'static str, Option<Sha256>);

#[async_trait::async_trait]
impl Backend for InPython {
    fn capabilities(&self) -> &Capabilities {
        &self.0
    }

    fn choice(&self) -> BackendChoice {
        BackendChoice::Trellis
    }

    fn readiness(&self) -> Readiness {
        Readiness::Ready
    }

    fn variant(&self) -> Option<&str> {
        Some(self.1)
    }

    fn tuning(&self) -> Option<Sha256> {
        self.2
    }

    fn uses_python(&self) -> bool {
        true
    }

    async fn generate(
        &self,
        _: Request,
        _: &dyn Reporter,
        _: tokio_util::sync::CancellationToken,
    ) -> Result<Output, GenerateError> {
        Err(GenerateError::Cancelled)
    }
}

fn relief() -> Arc<dyn Backend> {
    Arc::new(ReliefBackend::new(ReliefSettings::default()))
}

fn in_python() -> Arc<dyn Backend> {
    variant("reference")
}

fn variant(name: &'static str) -> Arc<dyn Backend> {
    tuned(name, None)
}

fn tuned(name: &'static str, tuning: Option<Sha256>) -> Arc<dyn Backend> {
    let capabilities = Capabilities {
        name: "trellis",
        ..relief().capabilities().clone()
    };
    Arc::new(InPython(capabilities, name, tuning))
}

/// The same program, environment and model, and all the same other results.
#[test]
fn a_faster_variant_is_not_answered_by_the_reference_pipelines_results() {
    let origin = origin(installation());
    let identity = |name| origin.identity(variant(name).as_ref()).unwrap();
    assert_eq!(
        identity("reference"),
        origin.identity(in_python().as_ref()).unwrap()
    );
    assert_ne!(identity("reference"), identity("fp8"));
    assert!(origin.identity(relief().as_ref()).unwrap().contains("reference"));
}

/// With kernels that were chosen otherwise the same numbers are added up in another order.
#[test]
fn results_under_another_tuning_are_not_taken_for_the_same() {
    let origin = origin(installation());
    let identity = |tuning: Option<&str>| {
        let backend = tuned("reference", tuning.map(Sha256::of));
        origin.identity(backend.as_ref()).unwrap()
    };
    assert_eq!(identity(Some("a")), identity(Some("a")));
    assert_ne!(identity(Some("a")), identity(Some("b")));
    assert_ne!(identity(Some("a")), identity(None));
    assert_eq!(identity(None), origin.identity(in_python().as_ref()).unwrap());
}

#[test]
fn what_a_mesh_takes_part_in_is_named_only_where_the_lock_has_its_encoder() {
    let unlocked = origin(installation());
    assert_eq!(unlocked.identity_with_mesh(in_python().as_ref()), None);
    let locked = origin(installation()).with_locked_shape_encoder(true);
    let identity = locked.identity_with_mesh(in_python().as_ref());
    assert_eq!(identity, unlocked.identity(in_python().as_ref()));
    assert!(identity.is_some());
    let nothing_locked = origin(Installation {
        model_lock: None,
        ..installation()
    });
    let nothing_locked = nothing_locked.with_locked_shape_encoder(true);
    assert_eq!(nothing_locked.identity_with_mesh(in_python().as_ref()), None);
}

fn nix(name: &str) -> Pin {
    Pin::Nix {
        store_path: format!("/nix/store/0c6kzph7l0dcbfmjap64f0czdafn3b7x-{name}"),
        nar_hash: None,
    }
}

fn installation() -> Installation {
    Installation {
        server: ServerBuild {
            version: "0.1.0".to_owned(),
            pin: nix("trellis"),
        },
        python_env: nix("python-env"),
        model_lock: Some([0x11; 32].into()),
    }
}

fn origin(installation: Installation) -> Origin {
    Origin::new(installation, None)
}

#[test]
fn only_what_takes_part_is_named() {
    let params = ParamsPatch::default().resolve(7).unwrap();
    let with = MadeWith {
        gpu: None,
        versions: BTreeMap::from([("torch".to_owned(), "2.9.1".to_owned())]),
        non_commercial: vec!["nvdiffrast".to_owned()],
        tuning: Some([0x44; 32].into()),
    };
    let origin = origin(installation());
    let preview = origin.provenance(
        relief().as_ref(),
        Pictures::default(),
        &params,
        &MadeWith::default(),
    );
    assert_eq!((preview.python_env, preview.model_lock), (None, None));
    let real = origin.provenance(in_python().as_ref(), Pictures::default(), &params, &with);
    assert_eq!(real.python_env.unwrap().versions, with.versions);
    assert_eq!(real.model_lock, installation().model_lock);
    assert_eq!(real.non_commercial, ["nvdiffrast"]);
    assert!(preview.non_commercial.is_empty());
    assert_eq!((preview.tuning, real.tuning), (None, with.tuning));
    assert_eq!(
        (preview.variant, real.variant.as_deref()),
        (None, Some("reference"))
    );
}

#[test]
fn results_are_alike_only_where_all_that_makes_them_is_named() {
    let whole = origin(installation());
    let relief_now = whole.identity(relief().as_ref()).unwrap();
    let trellis_now = whole.identity(in_python().as_ref()).unwrap();
    assert_ne!(relief_now, trellis_now);

    let other_model = Installation {
        model_lock: Some([0x22; 32].into()),
        ..installation()
    };
    let other_model = origin(other_model);
    assert_eq!(other_model.identity(relief().as_ref()).unwrap(), relief_now);
    assert_ne!(other_model.identity(in_python().as_ref()).unwrap(), trellis_now);

    let no_lock = origin(Installation {
        model_lock: None,
        ..installation()
    });
    let unpinned = Pin::Unpinned { sha256: None };
    let no_nix_python = origin(Installation {
        python_env: unpinned.clone(),
        ..installation()
    });
    for incomplete in [no_lock, no_nix_python] {
        assert_eq!(incomplete.identity(in_python().as_ref()), None);
        assert_eq!(incomplete.identity(relief().as_ref()).unwrap(), relief_now);
    }

    let server = |pin| {
        origin(Installation {
            server: ServerBuild {
                version: "0.1.0".to_owned(),
                pin,
            },
            ..installation()
        })
    };
    assert_eq!(server(unpinned).identity(relief().as_ref()), None);
    let built = |sha256: &str| {
        let sha256 = Some(Sha256::of(sha256));
        server(Pin::Unpinned { sha256 })
            .identity(relief().as_ref())
            .unwrap()
    };
    assert_ne!(built("1"), built("2"));
}

/// Two models of one server have an environment and a folder each.
#[test]
fn what_a_model_sampled_is_decoded_by_that_model_alone() {
    let other = Installation {
        model_lock: Some([0x22; 32].into()),
        ..installation()
    };
    let alone = origin(installation());
    let both = origin(installation()).with_model(Model::Trellis2, other);
    assert_eq!(
        both.decoder(Model::TrellisImageLarge),
        alone.decoder(Model::TrellisImageLarge)
    );
    assert_ne!(
        both.decoder(Model::Trellis2),
        both.decoder(Model::TrellisImageLarge)
    );
    assert_ne!(both.decoder(Model::Trellis2), alone.decoder(Model::Trellis2));
}

#[test]
fn a_statement_is_signed_where_there_is_a_key() {
    let params = ParamsPatch::default().resolve(7).unwrap();
    let run = Run {
        id: "job".to_owned(),
        started_at: jiff::Timestamp::UNIX_EPOCH,
        finished_at: jiff::Timestamp::UNIX_EPOCH,
    };
    let plain = origin(installation());
    let record = plain.provenance(
        relief().as_ref(),
        Pictures::default(),
        &params,
        &MadeWith::default(),
    );
    assert_eq!(plain.statement(&[], &record, &run), None, "nobody asked for one");
    let plain = plain.with_statements(true);
    let statement = plain.statement(&[], &record, &run).unwrap();
    assert_eq!((statement.ending, &statement.signed_by), ("intoto.json", &None));
    assert!(
        serde_json::from_slice::<Statement>(&statement.bytes)
            .unwrap()
            .agrees_with(&record)
    );

    // The first key of RFC 8032, section 7.1.
    let key =
        "studio-1:nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg==";
    let signing = Origin::new(installation(), Some(key.parse().unwrap()));
    assert!(!format!("{signing:?}").contains("nWGx"));
    let statement = signing.statement(&[], &record, &run).unwrap();
    assert_eq!(statement.ending, "intoto.dsse.json");
    assert_eq!(statement.signed_by.as_deref(), Some("studio-1"));
    let envelope: Envelope = serde_json::from_slice(&statement.bytes).unwrap();
    let public: PublicKey = "studio-1:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
        .parse()
        .unwrap();
    assert_eq!(envelope.open(Some(&public)).unwrap().signed, Some(true));
}
