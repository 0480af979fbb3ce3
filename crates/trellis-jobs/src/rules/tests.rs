//! Every (state, command) pair, and random strings of commands.

use std::fmt::Write as _;

use jiff::SignedDuration;
use proptest::prelude::*;
use trellis_core::{Artifact, Format, ParamsPatch, Priority, Stage};

use super::*;
use crate::{BlobKey, Needs, Rights};

const LEASE: Duration = Duration::from_secs(30);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap() + SignedDuration::from_secs(seconds)
}

fn id() -> JobId {
    "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap()
}

fn lease(worker: &str, attempt: u32) -> Lease {
    Lease {
        job: id(),
        attempt,
        worker: WorkerName(worker.to_owned()),
    }
}

fn file(name: &str, preview: bool) -> Delivered {
    Delivered {
        artifact: Artifact {
            name: name.to_owned(),
            format: Format::Glb,
            media_type: Format::Glb.media_type().to_owned(),
            size_bytes: 4,
            sha256: [0x11; 32].into(),
            preview,
        },
        key: BlobKey::artifact(id(), 1, name),
    }
}

fn outcome() -> Outcome {
    Outcome {
        made_by: "relief".to_owned(),
        artifacts: vec![file("model.glb", false)],
        notes: vec![],
        timings: None,
        provenance: None,
        statement: None,
        latents: None,
        cache_key: None,
    }
}

fn new() -> NewJob {
    NewJob {
        id: id(),
        owner: Owner::named("ada"),
        now: at(0),
        backend: trellis_core::BackendChoice::Auto,
        priority: Priority::Normal,
        name: None,
        source: None,
        params: ParamsPatch::default().resolve(7).unwrap(),
        inputs: vec![],
        idempotency: Some(("key".to_owned(), "digest".to_owned())),
        queue_limit: 2,
        traceparent: None,
        webhook: None,
        needs: Needs::default(),
        recalled: None,
    }
}

fn record(state: JobState) -> Record {
    let worker = WorkerName("a".to_owned());
    let hold = Hold::until(worker, at(0), LEASE);
    Record {
        id: id(),
        owner: Owner::named("ada"),
        state,
        attempt: 2,
        charged: 2,
        hold: Some(hold).filter(|_| state == JobState::Running),
    }
}

fn give_up(failure: Failure) -> Command {
    Command::GiveUp { failure }
}

/// Each command once for each case that the rules tell apart.
fn commands() -> Vec<(&'static str, Command)> {
    let progress = Progress {
        stage: Stage::Texture,
        step: 1,
        total: 9,
    };
    let failure = Failure::new(FailureKind::NoObject, "none");
    let lapse = |max_attempts, held_by: Option<&str>, alone| Command::Lapse {
        max_attempts,
        held_by: held_by.map(|name| WorkerName(name.to_owned())),
        alone,
    };
    let beat = |worker, attempt| Command::Heartbeat {
        lease: lease(worker, attempt),
        extend: LEASE,
    };
    let rename = |by| Command::Edit {
        by,
        edit: Edit::Name("chair".to_owned().into()),
    };
    let (ada, bob) = (Owner::named("ada"), Owner::named("bob"));
    let worker = WorkerName("b".to_owned());
    vec![
        ("claim", Command::Claim { worker, lease: LEASE }),
        ("heartbeat", beat("a", 2)),
        ("heartbeat of another", beat("b", 2)),
        ("heartbeat of the attempt before", beat("a", 1)),
        (
            "progress",
            Command::Progress {
                lease: lease("a", 2),
                progress,
            },
        ),
        (
            "progress of another",
            Command::Progress {
                lease: lease("b", 2),
                progress,
            },
        ),
        (
            "preview",
            Command::Preview {
                file: file("preview.glb", true),
            },
        ),
        (
            "succeed",
            Command::Succeed {
                lease: lease("a", 2),
                outcome: Box::new(outcome()),
            },
        ),
        (
            "succeed of the attempt before",
            Command::Succeed {
                lease: lease("a", 1),
                outcome: Box::new(outcome()),
            },
        ),
        (
            "fail",
            Command::Fail {
                lease: lease("a", 2),
                failure: failure.clone(),
            },
        ),
        (
            "fail of another",
            Command::Fail {
                lease: lease("b", 2),
                failure: failure.clone(),
            },
        ),
        ("give up", give_up(failure.clone())),
        ("release", Command::Release { lease: lease("a", 2) }),
        ("release of another", Command::Release { lease: lease("b", 2) }),
        ("lapse", lapse(3, None, true)),
        ("lapse for the last time", lapse(2, None, true)),
        ("lapse for the last time, among others", lapse(2, None, false)),
        ("lapse of a server that came back", lapse(3, Some("a"), true)),
        (
            "lapse of a server that came back, for the last time",
            lapse(2, Some("a"), true),
        ),
        (
            "lapse of a server that came back, for the last time, among others",
            lapse(2, Some("a"), false),
        ),
        ("cancel", Command::Cancel { by: ada.clone() }),
        ("cancel by another", Command::Cancel { by: bob.clone() }),
        ("cancel or delete", Command::CancelOrDelete { by: ada.clone() }),
        (
            "cancel or delete by another",
            Command::CancelOrDelete { by: bob.clone() },
        ),
        ("delete", Command::Delete),
        ("rename", rename(ada)),
        ("rename by another", rename(bob)),
    ]
}

fn told(result: Result<Step, StoreError>, before: &Record) -> String {
    let step = match result {
        Err(error) => return error.kind().to_owned(),
        Ok(step) => step,
    };
    let Some(after) = step.record else {
        return "forgotten".to_owned();
    };
    let mut told = after.state.to_string();
    if (after.attempt, after.charged) != (before.attempt, before.charged) {
        write!(told, ", attempt {} charged {}", after.attempt, after.charged).unwrap();
    }
    if let Some(hold) = after.hold.filter(|hold| Some(hold) != before.hold.as_ref()) {
        write!(
            told,
            ", held by {} for {}",
            hold.worker.0,
            hold.until.duration_since(at(20))
        )
        .unwrap();
    }
    if let Some(failure) = step.failure {
        write!(told, ", {}", failure.kind.name()).unwrap();
    }
    for event in step.events {
        match event {
            EventKind::State { state, attempt, .. } => write!(told, "; {state} {attempt}").unwrap(),
            EventKind::Progress(progress) => write!(told, "; {} {}", progress.stage, progress.step).unwrap(),
            EventKind::Artifact { name, .. } => write!(told, "; {name}").unwrap(),
            EventKind::Renamed { name } => write!(told, "; called {name}").unwrap(),
        }
    }
    told
}

#[test]
fn table() {
    let mut table = String::new();
    for (name, command) in commands() {
        writeln!(table, "{name}").unwrap();
        writeln!(table, "  {:<10} {}", "absent", absent(id(), &command).kind()).unwrap();
        for state in JobState::ALL {
            let before = record(state);
            let done = told(apply(before.clone(), command.clone(), at(20)), &before);
            writeln!(table, "  {:<10} {done}", state.name()).unwrap();
        }
        // The lease is over by then.
        let before = record(JobState::Running);
        let late = told(apply(before.clone(), command, at(30)), &before);
        writeln!(table, "  {:<10} {late}", "lapsed").unwrap();
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_submission_is_new_a_replay_or_refused() {
    let standing = |queued| Standing {
        queued,
        own_queued: 1,
        own_kept_bytes: 100,
    };
    let accepted = |new: &NewJob, earlier, queued| match accept(new, earlier, standing(queued)) {
        Err(error) => error.kind().to_owned(),
        Ok(Acceptance::Replay) => "replay".to_owned(),
        Ok(Acceptance::New(step)) => {
            let Some(record) = &step.record else {
                panic!("{step:?}")
            };
            assert_eq!((&record.owner, record.attempt), (&new.owner, 0));
            format!("{} {:?}", record.state, step.entered)
        }
    };
    let recalled = NewJob {
        recalled: Some(outcome()),
        ..new()
    };
    assert_eq!(accepted(&new(), None, 1), "queued [Queued]");
    assert_eq!(accepted(&new(), None, 2), "queue_full");
    assert_eq!(accepted(&recalled, None, 2), "succeeded [Queued, Succeeded]");
    // A replay is answered all the same.
    assert_eq!(accepted(&new(), Some("digest"), 2), "replay");
    assert_eq!(accepted(&new(), Some("another"), 0), "idempotency_key_reused");
    // One job of its owner waits, and 100 bytes are kept; the picture of the new one has 9.
    let owned = |queued, kept_bytes, recalled| NewJob {
        owner: Owner::named("ada").with(Rights {
            queued,
            kept_bytes,
            ..Rights::default()
        }),
        inputs: crate::conformance::kit::new_job(1).inputs,
        recalled,
        ..new()
    };
    for (queued, kept_bytes, waits, recalled) in [
        (
            Some(2),
            Some(109),
            "queued [Queued]",
            "succeeded [Queued, Succeeded]",
        ),
        (Some(1), None, "key_queue_full", "succeeded [Queued, Succeeded]"),
        (None, Some(108), "key_storage_full", "key_storage_full"),
        (Some(0), Some(0), "key_queue_full", "key_storage_full"),
    ] {
        assert_eq!(accepted(&owned(queued, kept_bytes, None), None, 1), waits);
        let done = owned(queued, kept_bytes, Some(outcome()));
        assert_eq!(accepted(&done, None, 1), recalled);
        let again = accepted(&owned(queued, kept_bytes, None), Some("digest"), 1);
        assert_eq!(again, "replay");
    }
}

proptest! {
    #[test]
    fn whatever_comes_a_job_keeps_its_rules(
        strings in prop::collection::vec((0..commands().len(), 0..40i64, any::<bool>()), 0..60),
    ) {
        let Acceptance::New(step) = accept(&new(), None, Standing::default()).unwrap() else { panic!("it is new") };
        let mut record = step.record.unwrap();
        let mut now = at(0);
        for (index, later, by_holder) in strings {
            now += SignedDuration::from_secs(later);
            let mut command = commands().swap_remove(index).1;
            // The commands name fixed leases: half of the time the one that holds.
            if let (true, Some(hold)) = (by_holder, &record.hold) {
                let current = lease(&hold.worker.0, record.attempt);
                if let Command::Heartbeat { lease, .. }
                | Command::Progress { lease, .. }
                | Command::Succeed { lease, .. }
                | Command::Fail { lease, .. }
                | Command::Release { lease } = &mut command
                {
                    *lease = current;
                }
            }
            let Ok(step) = apply(record.clone(), command.clone(), now) else { continue };
            let Some(after) = step.record else {
                prop_assert!(record.state.is_final(), "a live job is never lost");
                break;
            };
            prop_assert_eq!(after.hold.is_some(), after.state == JobState::Running);
            prop_assert!(after.attempt >= record.attempt && after.charged <= after.attempt);
            prop_assert!(!record.state.is_final() || after == record, "final is final");
            if let (Some(before), Some(after_hold)) = (&record.hold, &after.hold) {
                prop_assert_eq!(&before.worker, &after_hold.worker, "it is not taken from its holder");
                prop_assert_eq!(record.attempt, after.attempt);
            }
            if let Some(lease) = command.lease() {
                let was_held = record.hold.as_ref().is_some_and(|hold| hold.worker == lease.worker);
                let changed = after != record || !step.events.is_empty();
                prop_assert!(!changed || was_held && record.attempt == lease.attempt);
            }
            // The story is told of the state that is entered.
            prop_assert_eq!(step.entered.last().copied().unwrap_or(record.state), after.state);
            record = after;
        }
    }
}
