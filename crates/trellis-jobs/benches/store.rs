//! What a durable job costs, beside what SQLite's own durable insert costs on the same disk.
//!
//! Read the results as ratios to `raw insert`: the disk's flush decides over all of them.

use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use futures::future::join_all;
use jiff::Timestamp;
use rusqlite::Connection;
use tokio::runtime::Runtime;
use trellis_core::{BackendChoice, Input, InputFile, JobId, ParamsPatch, PictureFormat, Priority};
use trellis_jobs::{BlobKey, ClaimFilter, JobStore, Needs, NewJob, Outcome, Owner, SqliteStore, WorkerName};

const AT_ONCE: usize = 16;

fn new_job() -> NewJob {
    let now = Timestamp::now();
    let id = JobId::new(now, rand::random());
    let input = Input {
        file: InputFile::picture(PictureFormat::Png, 1024, 1024),
        size_bytes: 1 << 20,
        sha256: [0x00; 32].into(),
        name: None,
    };
    NewJob {
        name: None,
        source: None,
        id,
        owner: Owner::default(),
        now,
        backend: BackendChoice::Auto,
        priority: Priority::Normal,
        params: ParamsPatch::default().resolve(1).expect("defaults are in range"),
        inputs: vec![(input, BlobKey::input(id, 0))],
        idempotency: None,
        queue_limit: u64::MAX,
        traceparent: None,
        webhook: None,
        needs: Needs::default(),
        recalled: None,
    }
}

/// One job from submission to result: three commits.
async fn life(store: &SqliteStore, job: NewJob) {
    let (worker, filter) = (
        WorkerName("bench".to_owned()),
        ClaimFilter::of(vec![BackendChoice::Auto]),
    );
    store.submit(job).await.expect("the disk has room");
    let claim = store
        .claim(&worker, &filter, Timestamp::now(), Duration::from_secs(60))
        .await;
    let claim = claim.expect("the disk has room").expect("as many jobs as claims");
    let outcome = Outcome {
        made_by: "bench".to_owned(),
        artifacts: vec![],
        notes: vec![],
        timings: None,
        provenance: None,
        statement: None,
        latents: None,
        cache_key: None,
    };
    let succeeded = store.succeed(&claim.lease, Timestamp::now(), outcome).await;
    succeeded.expect("the lease holds");
}

fn raw(folder: &std::path::Path) -> Connection {
    let connection = Connection::open(folder.join("raw.db")).expect("the folder is writable");
    connection
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE rows (id, text)")
        .expect("the disk has room");
    connection
}

fn store(criterion: &mut Criterion) {
    // Not in /tmp, which may be in memory and flush for nothing.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target folder is writable");
    let runtime = Runtime::new().expect("threads can be started");
    let connection = raw(folder.path());
    let store = SqliteStore::open(&folder.path().join("jobs.db")).expect("the folder is writable");
    let text = "x".repeat(600);

    let mut group = criterion.benchmark_group("store");
    group.sample_size(30).throughput(Throughput::Elements(1));
    group.bench_function("raw insert", |bencher| {
        bencher.iter(|| {
            connection
                .execute("INSERT INTO rows VALUES (1, ?1)", [&text])
                .expect("the disk has room")
        });
    });
    group.bench_function("submit, claim, succeed", |bencher| {
        bencher.iter_batched(
            new_job,
            |job| runtime.block_on(life(&store, job)),
            BatchSize::SmallInput,
        );
    });
    group.throughput(Throughput::Elements(AT_ONCE as u64));
    group.bench_function("submit, claim, succeed, 16 at once", |bencher| {
        let jobs = || std::iter::repeat_with(new_job).take(AT_ONCE).collect::<Vec<_>>();
        bencher.iter_batched(
            jobs,
            |jobs| runtime.block_on(join_all(jobs.into_iter().map(|job| life(&store, job)))),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, store);
criterion_main!(benches);
