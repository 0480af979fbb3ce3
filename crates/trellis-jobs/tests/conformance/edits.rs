//! What clients change of a job, whatever its state.

#![expect(missing_docs, reason = "the names say what is tested")]

use trellis_core::{AssetName, EventKind, JobId, JobState, PictureFormat, Sha256};

use super::Fixture;
use super::kit::{at, claim, new_job, outcome};
use crate::rules::{Command, Edit};
use crate::{BlobKey, JobQuery, Latents, NewJob, Outcome, Owner, Rights, StoreError, Thumbnail};

fn named(text: &str) -> AssetName {
    AssetName::from(text.to_owned())
}

fn rename(by: &str, name: &str) -> Command {
    Command::Edit {
        by: Owner::named(by),
        edit: Edit::Name(named(name)),
    }
}

pub async fn what_was_sampled_is_listed_counted_and_dropped<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    let limited = || {
        Owner::named("ada").with(Rights {
            kept_bytes: Some(1000),
            ..Rights::default()
        })
    };
    let new = |n| NewJob {
        owner: limited(),
        ..new_job(n)
    };
    let mut ids = Vec::new();
    for n in [1, 2] {
        let id = store.submit(new(n)).await.unwrap().job.id;
        let held = claim(&*store, "a", 3).await.unwrap();
        let latents = Latents {
            size_bytes: 600,
            sha256: Sha256::of("sampled"),
            decoder: Sha256::of("model"),
            key: BlobKey::latents(id, 1),
        };
        let outcome = Outcome {
            latents: Some(latents.clone()),
            ..outcome(&held)
        };
        store.succeed(&held.lease, at(4), outcome).await.unwrap();
        let stored = store.find(id).await.unwrap();
        assert_eq!(stored.job.latents, Some(latents.shown()));
        assert_eq!(stored.into_outcome().unwrap().latents, Some(latents));
        ids.insert(0, id);
        if n == 1 {
            continue;
        }
        let full = store.submit(new(3)).await.unwrap_err();
        assert!(matches!(full, StoreError::OwnStorageFull { .. }), "{full}");
    }
    let kept = store.with_latents().await.unwrap();
    let listed: Vec<JobId> = kept.iter().map(|kept| kept.job).collect();
    assert_eq!((listed, kept[0].ended_at), (ids.clone(), at(4)));
    let dropped = Command::Edit {
        by: limited(),
        edit: Edit::DropLatents,
    };
    store.apply(ids[0], at(5), dropped).await.unwrap();
    assert_eq!(store.find(ids[0]).await.unwrap().latents, None);
    assert_eq!(store.with_latents().await.unwrap().len(), 1);
    store.submit(new(3)).await.unwrap();
}

pub async fn a_job_of_any_state_is_renamed_and_tells_so<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    let new = NewJob {
        name: Some(named("photo 1")),
        ..new_job(1)
    };
    let job = store.submit(new).await.unwrap().job;
    assert_eq!(job.name, Some(named("photo 1")));
    let id = job.id;
    let applied = store.apply(id, at(2), rename("", "chair")).await.unwrap();
    assert_eq!((applied.state, applied.job), (Some(JobState::Queued), None));
    let held = claim(&*store, "a", 3).await.unwrap();
    assert_eq!(held.job.name, Some(named("chair")));
    store.apply(id, at(4), rename("", "red chair")).await.unwrap();
    store.succeed(&held.lease, at(5), outcome(&held)).await.unwrap();
    let done = store.get(id).await.unwrap();
    assert_eq!((done.name, done.updated_at), (Some(named("red chair")), at(5)));
    for n in 6..20 {
        store
            .apply(id, at(n), rename("", &format!("chair {n}")))
            .await
            .unwrap();
    }
    let renamed = store.get(id).await.unwrap();
    assert_eq!(
        (renamed.state, renamed.name),
        (JobState::Succeeded, Some(named("chair 19")))
    );
    assert_eq!((renamed.updated_at, renamed.history.len()), (at(19), 3));
    let events = store.events(Some(id), 0, 100).await.unwrap();
    let names = events.iter().filter_map(|event| match &event.kind {
        EventKind::Renamed { name } => Some(name.as_str()),
        _ => None,
    });
    assert_eq!(
        names.collect::<Vec<_>>(),
        ["chair 19"],
        "one is kept of a job that has ended"
    );

    let theirs = NewJob {
        owner: Owner::named("ada"),
        ..new_job(2)
    };
    let theirs = store.submit(theirs).await.unwrap().job.id;
    let refused = store.apply(theirs, at(3), rename("bob", "mine")).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    assert_eq!(store.get(theirs).await.unwrap().name, None);
}

pub async fn jobs_are_found_by_a_part_of_their_name<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    let mut ids = Vec::new();
    for (n, owner, name) in [
        (1, "ada", Some("Red Chair")),
        (2, "bob", Some("chair")),
        (3, "", Some("ÄRMEL 50% _x")),
        (4, "ada", None),
        (5, "ada", Some("chairs")),
    ] {
        let new = NewJob {
            owner: Owner::named(owner),
            name: name.map(named),
            ..new_job(n)
        };
        ids.push(store.submit(new).await.unwrap().job.id);
    }
    let found = async |part: &str, state, limit, before: Option<JobId>| {
        let query = JobQuery {
            owner: Owner::named("ada"),
            name: Some(part.to_owned()),
            state,
            limit,
            before,
        };
        let page = store.list(query).await.unwrap();
        let numbers = page
            .jobs
            .iter()
            .map(|job| ids.iter().position(|id| *id == job.id).unwrap() + 1);
        (numbers.collect::<Vec<_>>(), page.next)
    };
    for (part, numbers) in [
        ("chai", vec![5, 1]),
        ("RED", vec![1]),
        ("ärm", vec![3]),
        ("%", vec![]),
        ("_x", vec![3]),
        ("table", vec![]),
        ("", vec![5, 3, 1]),
    ] {
        assert_eq!(found(part, None, 9, None).await, (numbers, None), "{part}");
    }
    assert_eq!(found("chai", Some(JobState::Queued), 9, None).await.0, [5, 1]);
    assert_eq!(found("chai", Some(JobState::Running), 9, None).await.0, [0; 0]);
    let (first, next) = found("chai", None, 1, None).await;
    assert_eq!((first, next), (vec![5], Some(ids[4])));
    assert_eq!(found("chai", None, 1, next).await, (vec![1], None));
}

pub async fn a_thumbnail_takes_the_place_of_another<F: Fixture>() {
    let place = F::new().await;
    let store = place.store();
    let id = store.submit(new_job(1)).await.unwrap().job.id;
    let thumbnail = |number| Thumbnail {
        format: PictureFormat::Webp,
        size_bytes: 9,
        sha256: [0x22; 32].into(),
        key: BlobKey::thumbnail(id, number),
    };
    let put = async |number| {
        let edit = Edit::Thumbnail(thumbnail(number));
        let by = Owner::default();
        store
            .apply(id, at(2), Command::Edit { by, edit })
            .await
            .unwrap()
            .replaced
    };
    assert_eq!(put(1).await, None);
    let found = store.find(id).await.unwrap();
    assert_eq!(found.thumbnail, Some(thumbnail(1)));
    assert_eq!(found.job.thumbnail, Some(format!("/v1/jobs/{id}/thumbnail")));
    let held = claim(&*store, "a", 3).await.unwrap();
    store.succeed(&held.lease, at(5), outcome(&held)).await.unwrap();
    assert_eq!(
        store.find(id).await.unwrap().thumbnail,
        Some(thumbnail(1)),
        "no result takes its place"
    );
    assert_eq!(put(2).await, Some(thumbnail(1)));
    assert_eq!(store.find(id).await.unwrap().thumbnail, Some(thumbnail(2)));
}
