use std::time::Duration;

use trellis_backend::{Backend, Others, ReliefBackend, ReliefSettings};
use trellis_core::{ParamsPatch, Sha256};
use trellis_store_postgres::Node;

use super::*;
use crate::about::{About, Offer, Standing};
use crate::backends::anywhere;
use crate::settings::Role;

/// A server that says this of itself.
fn node(name: &str, role: Role, backends: Vec<Offer>) -> Node<About> {
    Node {
        name: name.to_owned(),
        about: Some(About {
            role,
            version: "1".to_owned(),
            host: "studio".to_owned(),
            rests: false,
            backends,
        }),
        silent_for: Duration::ZERO,
        drains: false,
        jobs: 0,
    }
}

/// TRELLIS on a GPU of that size, in the environment `closure`.
fn trellis(gib: u64, closure: &str) -> Offer {
    Offer {
        choice: BackendChoice::Trellis,
        model: None,
        standing: Standing::Ready,
        reason: String::new(),
        failure: None,
        identity: None,
        ability: Ability {
            formats: Some(vec![Format::Glb]),
            vram_bytes: Some(gib << 30),
            closures: Some(vec![closure.to_owned()]),
            decoders: Some(vec![Sha256::of(closure)]),
            meshes: Some(false),
        },
        later_formats: vec![Format::Vxz],
        decoder: Some(Sha256::of(closure)),
        workers: Vec::new(),
    }
}

/// A server that takes requests and those beside it.
fn servers(nodes: Vec<Node<About>>) -> Servers {
    let roster = Arc::new(Roster::of("me", nodes));
    let others: Arc<dyn Others> = roster.clone();
    Servers {
        all: anywhere(&Registry::new(Vec::new()), &others),
        here: None,
        works: false,
        roster: Some(roster),
    }
}

fn worker(offer: Offer) -> Node<About> {
    node("worker", Role::Worker, vec![offer])
}

fn needs() -> Needs {
    let params = ParamsPatch::default()
        .with("formats", vec![Format::Glb])
        .resolve(1);
    Needs {
        formats: vec![Format::Glb],
        vram_bytes: trellis_supervisor::least_memory(&params.unwrap()),
        closure: Some("a".to_owned()),
        decoder: None,
        mesh: false,
    }
}

#[test]
fn a_job_lacks_what_no_server_has() {
    let exported = Needs {
        decoder: Some(Sha256::of("a")),
        ..needs()
    };
    let textured = Needs {
        mesh: true,
        ..needs()
    };
    let voxels = Needs {
        formats: vec![Format::Vxz],
        ..needs()
    };
    let splats = Needs {
        formats: vec![Format::GaussianPly],
        ..needs()
    };
    let trellis_of = |model| Demand::new(BackendChoice::Trellis, model);
    let first = trellis_of(Model::TrellisImageLarge);
    let auto = Demand::from(BackendChoice::Auto);
    for (servers_are, demand, needs, lacks) in [
        (vec![worker(trellis(24, "a"))], first, needs(), None),
        (vec![worker(trellis(24, "a"))], auto, needs(), None),
        (vec![worker(trellis(24, "a"))], first, exported.clone(), None),
        (vec![worker(trellis(24, "a"))], first, voxels, None),
        (
            vec![worker(trellis(24, "a"))],
            first,
            textured,
            Some("no server can texture a mesh"),
        ),
        (
            vec![worker(trellis(24, "a"))],
            trellis_of(Model::Trellis2),
            needs(),
            Some("no server of this job store runs `trellis2-4b` now"),
        ),
        (vec![], first, needs(), Some("runs `trellis-image-large` now")),
        (
            vec![worker(trellis(24, "b"))],
            first,
            needs(),
            Some("must come from `a`"),
        ),
        (
            vec![worker(trellis(4, "a"))],
            first,
            needs(),
            Some("the largest GPU has 4"),
        ),
        (
            vec![worker(trellis(24, "b"))],
            first,
            exported.clone(),
            Some("can be decoded only by"),
        ),
        // The large GPU decodes nothing of `a`.
        (
            vec![
                worker(trellis(4, "a")),
                node("other", Role::Worker, vec![trellis(24, "b")]),
            ],
            first,
            exported,
            Some("the largest GPU has 4"),
        ),
        (
            vec![worker(trellis(24, "a"))],
            first,
            splats,
            Some("no server makes `gaussian_ply` with these parameters"),
        ),
    ] {
        let text = format!("{servers_are:?} {demand} {needs:?}");
        let lack = servers(servers_are).lack(demand, &needs);
        assert_eq!(lack.is_some(), lacks.is_some(), "{text}: {lack:?}");
        let Some(lack) = lack else { continue };
        assert_eq!(lack.kind, FailureKind::NoServer);
        assert!(lack.message.contains(lacks.unwrap()), "{text}: {lack}");
        assert!(lack.fix.starts_with("start a server"), "{}", lack.fix);
    }
}

#[test]
fn why_a_server_cannot_work_is_what_its_jobs_wait_for() {
    let broken = Offer {
        standing: Standing::Unavailable,
        failure: Some(Failure::new(FailureKind::DriverMissing, "there is no driver")),
        ..trellis(24, "a")
    };
    let trellis = BackendChoice::Trellis.into();
    let lack = servers(vec![worker(broken.clone())])
        .lack(trellis, &needs())
        .unwrap();
    assert_eq!(lack.message, "there is no driver");
    assert_eq!(lack.fix, FailureKind::DriverMissing.advice());
    let starting = Offer {
        standing: Standing::Starting,
        failure: None,
        ..broken
    };
    assert_eq!(servers(vec![worker(starting)]).lack(trellis, &needs()), None);
}

#[test]
fn a_server_that_works_alone_and_was_started_without_its_model_says_so() {
    let relief: Arc<dyn Backend> = Arc::new(ReliefBackend::new(ReliefSettings::default()));
    let alone = Servers {
        all: Registry::new(vec![relief]),
        here: None,
        works: true,
        roster: None,
    };
    let lack = alone.lack(BackendChoice::Trellis.into(), &needs()).unwrap();
    assert_eq!(
        lack.message,
        "the backend `trellis` is not available here, only `relief`"
    );
    assert_eq!(lack.fix, ADVICE_ALONE);
    let second = Demand::new(BackendChoice::Auto, Model::Trellis2);
    let lack = alone.lack(second, &needs()).unwrap();
    assert!(lack.message.contains("does not run `trellis2-4b`"), "{lack}");
    assert_eq!(alone.lack(BackendChoice::Export.into(), &Needs::default()), None);
}

#[test]
fn a_conversion_lacks_a_server_that_works_on_jobs() {
    let export = BackendChoice::Export.into();
    let lacks = |nodes| servers(nodes).lack(export, &Needs::default()).is_some();
    assert!(lacks(vec![node("api", Role::Api, vec![])]));
    assert!(!lacks(vec![node("worker", Role::Worker, vec![])]));
    let drained = Node {
        drains: true,
        ..node("worker", Role::Worker, vec![])
    };
    assert!(lacks(vec![drained]));
}

#[test]
fn nothing_is_said_to_be_lacking_beside_a_server_that_this_version_cannot_read() {
    let newer = Node {
        about: None,
        ..node("newer", Role::Worker, vec![])
    };
    let trellis = BackendChoice::Trellis.into();
    assert!(servers(vec![]).lack(trellis, &needs()).is_some());
    assert_eq!(servers(vec![newer]).lack(trellis, &needs()), None);
}
