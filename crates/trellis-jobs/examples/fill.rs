//! Fills a job database with finished jobs, as tests/load does: `fill DATABASE KEY=COUNT…`.
//!
//! Each KEY is an owner; the jobs of the first that is named are the oldest. One job in a hundred was cancelled, the
//! others have a GLB. They have no files.

use std::error::Error;

use futures::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use trellis_core::{
    Artifact, AssetName, BackendChoice, Format, Input, InputFile, JobId, ParamsPatch, PictureFormat, Priority,
};
use trellis_jobs::rules::Command;
use trellis_jobs::{BlobKey, Delivered, JobStore, Needs, NewJob, Outcome, Owner, SqliteStore, StoreError};

/// Jobs that are written at the same time share their flushes.
const AT_ONCE: u32 = 500;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let database = arguments.next().ok_or("which database?")?;
    let store = SqliteStore::open(database.as_ref())?;
    let mut at = Timestamp::now() - SignedDuration::from_hours(48);
    let mut number = 0;
    for argument in arguments {
        let (owner, count) = argument.split_once('=').ok_or("KEY=COUNT is expected")?;
        let owner = Owner::named(owner);
        let end = number + count.parse::<u32>()?;
        while number < end {
            let some = number..end.min(number + AT_ONCE);
            number = some.end;
            let jobs: Vec<_> = some
                .map(|number| {
                    at += SignedDuration::from_millis(1);
                    finish(&store, &owner, at, number)
                })
                .collect();
            try_join_all(jobs).await?;
        }
    }
    Ok(())
}

/// One finished job.
async fn finish(store: &SqliteStore, owner: &Owner, now: Timestamp, number: u32) -> Result<(), StoreError> {
    let mut random = [0; 10];
    random[6..].copy_from_slice(&number.to_be_bytes());
    let id = JobId::new(now, random);
    let name = AssetName::of_text(&format!("chair {number}"));
    let input = Input {
        file: InputFile::picture(PictureFormat::Png, 1024, 1024),
        size_bytes: 1 << 20,
        sha256: [0; 32].into(),
        name: name.clone(),
    };
    let cancelled = number % 100 == 99;
    let params = ParamsPatch::default().resolve(number);
    let job = NewJob {
        name,
        source: None,
        id,
        owner: owner.clone(),
        now,
        backend: BackendChoice::Auto,
        priority: Priority::Normal,
        params: params.expect("defaults are in range"),
        inputs: vec![(input, BlobKey::input(id, 0))],
        idempotency: None,
        queue_limit: u64::MAX,
        traceparent: None,
        webhook: None,
        needs: Needs::default(),
        recalled: (!cancelled).then(|| outcome(id)),
    };
    store.submit(job).await?;
    if cancelled {
        store
            .apply(id, now, Command::Cancel { by: owner.clone() })
            .await?;
    }
    Ok(())
}

fn outcome(id: JobId) -> Outcome {
    let artifact = Artifact {
        name: "model.glb".to_owned(),
        format: Format::Glb,
        media_type: Format::Glb.media_type().to_owned(),
        size_bytes: 4 << 20,
        sha256: [1; 32].into(),
        preview: false,
    };
    let key = BlobKey::artifact(id, 1, &artifact.name);
    Outcome {
        made_by: "trellis".to_owned(),
        artifacts: vec![Delivered { artifact, key }],
        notes: vec![],
        timings: None,
        provenance: None,
        statement: None,
        latents: None,
        cache_key: None,
    }
}
