//! Where jobs go.

use tokio_util::sync::CancellationToken;
use trellis_core::{AskedBackend, GenerateError};

use super::*;
use crate::{Capabilities, Output, Reporter, Request};

struct Fixed {
    capabilities: Capabilities,
    choice: BackendChoice,
    model: Option<Model>,
    readiness: Readiness,
}

#[async_trait::async_trait]
impl Backend for Fixed {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn choice(&self) -> BackendChoice {
        self.choice
    }

    fn model(&self) -> Option<Model> {
        self.model
    }

    fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }

    async fn generate(
        &self,
        _: Request,
        _: &dyn Reporter,
        _: CancellationToken,
    ) -> Result<Output, GenerateError> {
        Err(GenerateError::Cancelled)
    }
}

fn backend(choice: BackendChoice, readiness: Readiness) -> Arc<dyn Backend> {
    let model = (choice == BackendChoice::Trellis).then_some(Model::TrellisImageLarge);
    of_model(choice, model, readiness)
}

fn second(readiness: Readiness) -> Arc<dyn Backend> {
    of_model(BackendChoice::Trellis, Some(Model::Trellis2), readiness)
}

fn of_model(choice: BackendChoice, model: Option<Model>, readiness: Readiness) -> Arc<dyn Backend> {
    let (name, formats) = match model {
        Some(Model::TrellisImageLarge) => ("trellis", vec![Format::Glb, Format::GaussianPly]),
        Some(Model::Trellis2) => ("trellis2", vec![Format::Glb]),
        None => ("relief", vec![Format::Glb, Format::Stl]),
    };
    Arc::new(Fixed {
        capabilities: Capabilities {
            name,
            description: "fixed",
            preview: choice == BackendChoice::Relief,
            formats,
            multiview: false,
            slots: 1,
        },
        choice,
        model,
        readiness,
    })
}

fn registry(trellis: Readiness) -> Registry {
    Registry::new(vec![
        backend(BackendChoice::Relief, Readiness::Ready),
        backend(BackendChoice::Trellis, trellis),
    ])
}

fn unavailable() -> Readiness {
    Readiness::Unavailable {
        failure: Failure::new(FailureKind::DriverMissing, "no NVIDIA driver was found"),
    }
}

/// As servers that share a store say it.
fn absent() -> Readiness {
    Readiness::Absent {
        reason: "no server of this job store has it now".to_owned(),
    }
}

fn starting() -> Readiness {
    Readiness::Starting {
        reason: "loading the weights".to_owned(),
    }
}

fn said(registry: &Registry, demand: impl Into<Demand>, formats: &[Format]) -> String {
    let demand = demand.into();
    match registry.route(demand, formats) {
        Route::Never(failure) => format!("{}: {}", failure.kind.name(), failure.message),
        route => {
            let waits = matches!(route, Route::Wait(_));
            let backend = route.backend().unwrap();
            let reason = registry.reason(demand, formats, &backend);
            format!(
                "{}{}: {reason}",
                if waits { "waits for " } else { "" },
                name(&backend)
            )
        }
    }
}

#[test]
fn auto_goes_to_the_best_that_may_work_and_says_why() {
    let auto = |trellis, format| said(&registry(trellis), BackendChoice::Auto, &[format]);
    assert_eq!(
        auto(Readiness::Ready, Format::Glb),
        "trellis: `trellis` is the best backend here"
    );
    assert_eq!(
        auto(starting(), Format::Glb),
        "waits for trellis: `trellis` is the best backend here"
    );
    assert_eq!(
        auto(unavailable(), Format::Glb),
        "relief: `trellis` is not available: no NVIDIA driver was found"
    );
    assert_eq!(
        auto(Readiness::Ready, Format::Stl),
        "relief: `trellis` does not make `stl`"
    );
    assert_eq!(
        auto(unavailable(), Format::GaussianPly),
        "driver_missing: no NVIDIA driver was found"
    );
    assert_eq!(
        auto(absent(), Format::Glb),
        "relief: no server of this job store has it now"
    );
    assert_eq!(
        auto(absent(), Format::GaussianPly),
        "waits for trellis: `trellis` is the best backend here"
    );
    let alone = Registry::new(vec![backend(BackendChoice::Relief, Readiness::Ready)]);
    assert_eq!(
        said(&alone, BackendChoice::Auto, &[Format::Glb]),
        "relief: `relief` is the only backend here"
    );
    assert_eq!(
        said(&registry(starting()), BackendChoice::Relief, &[Format::Glb]),
        "relief: `relief` was asked for"
    );
}

#[test]
fn what_nobody_here_serves_is_unsupported() {
    let both = registry(Readiness::Ready);
    assert_eq!(
        said(&both, BackendChoice::Auto, &[Format::Turntable]),
        "unsupported: `turntable` cannot be made here: `trellis` makes `glb`, `gaussian_ply`; \
         `relief` makes `glb`, `stl`"
    );
    assert_eq!(
        said(&both, BackendChoice::Relief, &[Format::GaussianPly]),
        "unsupported: `gaussian_ply` cannot be made here: `relief` makes `glb`, `stl`"
    );
    assert_eq!(
        said(&both, BackendChoice::Auto, &[Format::Stl, Format::GaussianPly]),
        "unsupported: `stl`, `gaussian_ply` cannot be made together here: \
         `trellis` makes `glb`, `gaussian_ply`; `relief` makes `glb`, `stl`"
    );
    let alone = Registry::new(vec![backend(BackendChoice::Relief, Readiness::Ready)]);
    assert_eq!(
        said(&alone, BackendChoice::Trellis, &[Format::Glb]),
        "unsupported: the backend `trellis` is not available here, only `relief`"
    );
    let none = Registry::new(Vec::new());
    assert_eq!(
        said(&none, BackendChoice::Auto, &[Format::Glb]),
        "unsupported: no backend is enabled here"
    );
}

/// What slots do with a job: a ready backend that claims its choice, and whom that hands it to.
fn worked_on_by(registry: &Registry, choice: BackendChoice, formats: &[Format]) -> Option<&'static str> {
    let mut ready = registry
        .all()
        .iter()
        .filter(|backend| backend.readiness() == Readiness::Ready);
    ready.find(|backend| registry.claims(backend.as_ref()).contains(&choice.into()))?;
    let backend = registry.route(choice, formats).backend();
    backend.ok().map(|backend| name(&backend))
}

#[test]
fn refusal_cache_and_claims_agree_whatever_is_ready() {
    use BackendChoice::{Auto, Relief, Trellis};
    let states = [Readiness::Ready, starting(), unavailable(), absent()];
    for trellis in &states {
        for relief in &states {
            let registry = Registry::new(vec![
                backend(Relief, relief.clone()),
                backend(Trellis, trellis.clone()),
            ]);
            for choice in AskedBackend::ALL.map(BackendChoice::from) {
                // Each choice has one holder, so no job is claimed for two backends.
                let holders = registry
                    .all()
                    .iter()
                    .filter(|backend| registry.claims(backend.as_ref()).contains(&choice.into()));
                assert_eq!(holders.count(), 1, "{choice}");
                for formats in [
                    &[Format::Glb][..],
                    &[Format::Stl],
                    &[Format::GaussianPly],
                    &[Format::Turntable],
                ] {
                    let case = format!("{trellis:?}, {relief:?}: {choice} {formats:?}");
                    let route = registry.route(choice, formats);
                    let worker = worked_on_by(&registry, choice, formats);
                    match &route {
                        Route::Now(backend) => assert_eq!(worker, Some(name(backend)), "{case}"),
                        // What is claimed meanwhile goes to nobody else.
                        Route::Wait(backend) => {
                            assert!(worker.is_none_or(|worker| worker == name(backend)), "{case}");
                        }
                        Route::Never(_) => assert_eq!(worker, None, "{case}"),
                    }
                    let unsupported =
                        matches!(&route, Route::Never(failure) if failure.kind == FailureKind::Unsupported);
                    let made = |choice: BackendChoice| {
                        registry.all().iter().any(|backend| {
                            [Auto, backend.choice()].contains(&choice) && lacking(backend, formats).is_none()
                        })
                    };
                    assert_eq!(unsupported, !made(choice), "{case}");
                    if choice == Auto && *trellis == starting() && formats == [Format::Glb] {
                        assert!(
                            matches!(&route, Route::Wait(backend) if name(backend) == "trellis"),
                            "{case}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_job_goes_to_what_runs_its_model_and_a_server_without_it_says_so() {
    let auto =
        |registry: &Registry, model| said(registry, Demand::new(BackendChoice::Auto, model), &[Format::Glb]);
    let named = |registry: &Registry, model| {
        said(
            registry,
            Demand::new(BackendChoice::Trellis, model),
            &[Format::Glb],
        )
    };
    let with = |second_one: Readiness| {
        Registry::new(vec![
            backend(BackendChoice::Relief, Readiness::Ready),
            backend(BackendChoice::Trellis, Readiness::Ready),
            second(second_one),
        ])
    };
    let both = with(Readiness::Ready);
    assert_eq!(both.default_model(), Model::TrellisImageLarge);
    for ask in [auto, named] {
        assert!(ask(&both, Model::TrellisImageLarge).starts_with("trellis: "));
        assert!(ask(&both, Model::Trellis2).starts_with("trellis2: "));
    }
    assert_eq!(
        auto(&with(unavailable()), Model::Trellis2),
        "relief: `trellis2` is not available: no NVIDIA driver was found"
    );
    let first = registry(Readiness::Ready);
    let refusal = "unsupported: this server does not run `trellis2-4b`, only `trellis-image-large`";
    assert_eq!(auto(&first, Model::Trellis2), refusal);
    assert_eq!(named(&first, Model::Trellis2), refusal);
    let relief = Demand::new(BackendChoice::Relief, Model::Trellis2);
    assert_eq!(
        said(&first, relief, &[Format::Glb]),
        "relief: `relief` was asked for"
    );
    let other = Registry::new(vec![second(Readiness::Ready)]);
    assert_eq!(other.default_model(), Model::Trellis2);
    let refusal = "unsupported: this server does not run `trellis-image-large`, only `trellis2-4b`";
    assert_eq!(auto(&other, Model::TrellisImageLarge), refusal);
    let preview = Registry::new(vec![backend(BackendChoice::Relief, Readiness::Ready)]);
    assert_eq!(
        auto(&preview, Model::Trellis2),
        "unsupported: this server does not run `trellis2-4b`, it has only `relief`"
    );
}

/// No slot takes a job of a model that its backend does not run, and every job that is accepted is taken by one.
#[test]
fn slots_claim_the_jobs_of_their_own_model() {
    let registry = Registry::new(vec![
        backend(BackendChoice::Relief, Readiness::Ready),
        backend(BackendChoice::Trellis, Readiness::Ready),
        second(Readiness::Ready),
    ]);
    let claimed: Vec<String> = registry
        .all()
        .iter()
        .map(|backend| {
            let claims = registry.claims(backend.as_ref());
            let claims: Vec<String> = claims.iter().map(ToString::to_string).collect();
            format!("{}: {}", name(backend), claims.join(" "))
        })
        .collect();
    assert_eq!(
        claimed,
        [
            "trellis: auto trellis",
            "trellis2: auto/trellis2-4b trellis/trellis2-4b",
            "relief: relief relief/trellis2-4b"
        ]
    );
}
