//! Each way in which a hub or a line fails: overcome, or named, with nothing half-written in place.

use std::fs;
use std::time::{Duration, Instant};

use trellis_core::Explain as _;
use trellis_model_fetch::FetchError;

use crate::kit::{Bench, FLOW, REPO, names};
use crate::stand_in::Fault;

/// After the fault the file is whole all the same.
async fn overcome(faults: Vec<Fault>) -> Bench {
    let bench = Bench::new().await;
    bench.fault(FLOW, faults);
    bench.fetch().await.unwrap();
    assert_eq!(
        fs::read(bench.target().join(FLOW)).unwrap(),
        bench.published(FLOW)
    );
    bench
}

/// The fault is said, and the file is not there.
async fn named(faults: impl Fn() -> Fault) -> FetchError {
    let bench = Bench::new().await;
    bench.fault(FLOW, (0..100).map(|_| faults()));
    let error = bench.fetch().await.unwrap_err();
    assert!(!bench.target().join(FLOW).exists());
    assert!(!error.advice().is_empty());
    error
}

#[tokio::test]
async fn cuts_stalls_and_passing_failures_are_overcome() {
    let bench = overcome(vec![
        Fault::Cut(0),
        Fault::Cut(15_000),
        Fault::Stall,
        Fault::Status(503, None),
        Fault::Status(500, None),
        Fault::Cut(1),
    ])
    .await;
    assert!(
        bench
            .told
            .waits
            .lock()
            .unwrap()
            .iter()
            .any(|why| why.contains("503"))
    );
}

#[tokio::test]
async fn a_server_without_ranges_sends_the_whole() {
    let whole = || std::iter::repeat_n(Fault::NoRange, 100);
    overcome(whole().collect()).await;
    // The first answers say so; then the one stream breaks and starts again.
    let broken = std::iter::repeat_n(Fault::NoRange, 7)
        .chain([Fault::Cut(50_000)])
        .chain(whole());
    overcome(broken.collect()).await;
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_as_long_as_the_hub_asks() {
    let began = Instant::now();
    overcome(vec![Fault::Status(429, Some("1"))]).await;
    assert!(began.elapsed() >= Duration::from_secs(1));
    let error = named(|| Fault::Status(429, Some("3600"))).await;
    assert_eq!(
        error.to_string(),
        format!("the hub limits requests to `{FLOW}` and asks to wait 3600 seconds")
    );
}

#[tokio::test]
async fn lasting_failures_are_named() {
    assert_eq!(named(|| Fault::Status(403, None)).await.kind(), "refused");
    assert_eq!(named(|| Fault::Status(404, None)).await.kind(), "not_found");
    assert_eq!(named(|| Fault::Status(500, None)).await.kind(), "server_fault");
    assert_eq!(named(|| Fault::Status(416, None)).await.kind(), "wrong_size");
    assert_eq!(named(|| Fault::Cut(10)).await.kind(), "unreachable");
    assert_eq!(named(|| Fault::Html).await.kind(), "not_a_hub");
}

#[tokio::test]
async fn wrong_bytes_are_found_by_their_hash_and_thrown_away() {
    let bench = Bench::new().await;
    bench.fault(FLOW, [Fault::WrongBytes]);
    let error = bench.fetch().await.unwrap_err();
    assert!(
        matches!(&error, FetchError::WrongDigest { file, .. } if file == FLOW),
        "{error}"
    );
    assert!(
        names(&bench.target())
            .iter()
            .all(|name| !name.contains("slat_flow_img_dit_L_64l8p2_fp16.safetensors"))
    );
    bench.fetch().await.unwrap();
}

#[tokio::test]
async fn a_small_file_is_held_against_its_git_id() {
    let bench = Bench::new().await;
    bench.script(|script| {
        script
            .listed_digests
            .insert("pipeline.json".to_owned(), "f".repeat(40));
    });
    assert_eq!(bench.fetch().await.unwrap_err().kind(), "wrong_digest");
    assert_eq!(names(&bench.target()), [""; 0]);
}

#[tokio::test]
async fn wrong_bytes_of_an_earlier_run_are_fetched_again_in_the_same_run() {
    let bench = Bench::new().await;
    let mut settings = bench.settings();
    settings.connections = 1;
    settings.retry.limit = 0;
    bench.fault(FLOW, [Fault::WrongBytes, Fault::Status(404, None)]);
    assert!(bench.fetch_with(settings.clone()).await.is_err());
    bench.fetch_with(settings).await.unwrap();
    assert_eq!(
        fs::read(bench.target().join(FLOW)).unwrap(),
        bench.published(FLOW)
    );
}

#[tokio::test]
async fn a_listing_that_is_no_listing_is_named() {
    let bench = Bench::new().await;
    bench.script(|script| script.listing_faults = [Fault::Html].into());
    let error = bench.fetch().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("`{REPO} at main` answered with text/html, which is not a hub's answer")
    );
    bench.script(|script| {
        script.listing_faults = [Fault::Status(502, None), Fault::Status(429, Some("0"))].into();
    });
    bench.fetch().await.unwrap();
    bench.script(|script| script.listing_faults = [Fault::Status(404, None)].into());
    assert_eq!(bench.fetch().await.unwrap_err().kind(), "not_found");
}

#[tokio::test]
async fn a_hub_that_is_not_there_is_unreachable_and_no_address_is_printed() {
    let bench = Bench::new().await;
    let mut settings = bench.settings();
    // Port 9 discards; nothing listens on the loopback's.
    settings.endpoint.set_port(Some(9)).unwrap();
    let error = bench.fetch_with(settings).await.unwrap_err();
    assert_eq!(error.kind(), "unreachable");
    let error = named(|| Fault::Cut(10)).await;
    let mut chain = format!("{error}");
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        chain = format!("{chain}: {cause}");
        source = cause.source();
    }
    assert!(!chain.contains("secret"), "{chain}");
}

#[tokio::test]
async fn names_that_lead_out_of_the_folder_are_refused_before_anything_is_written() {
    let bench = Bench::new().await;
    bench.script(|script| {
        let files = script.files.get_mut(REPO).unwrap();
        let content = files["pipeline.json"].clone();
        files.insert("../../outside.json".to_owned(), content);
    });
    assert_eq!(bench.fetch().await.unwrap_err().kind(), "unsafe_name");
    assert_eq!(names(&bench.target()), [""; 0]);
}

#[tokio::test]
async fn two_fetches_of_one_file_do_not_write_it_both() {
    let bench = Bench::new().await;
    bench.fault(
        FLOW,
        [
            Fault::Stall,
            Fault::Stall,
            Fault::Stall,
            Fault::Stall,
            Fault::Stall,
            Fault::Stall,
            Fault::Stall,
        ],
    );
    let mut slow = bench.settings();
    slow.read_timeout = Duration::from_secs(60);
    let first = bench.fetch_with(slow);
    tokio::pin!(first);
    let asked = bench.hub.script.lock().unwrap().asked.clone();
    let stalled = async {
        while !bench
            .hub
            .script
            .lock()
            .unwrap()
            .requests
            .iter()
            .any(|(path, ..)| path == FLOW)
        {
            asked.notified().await;
        }
    };
    tokio::select! {
        _ = &mut first => panic!("the first fetch stalls by script"),
        () = stalled => {}
    }
    assert_eq!(bench.fetch().await.unwrap_err().kind(), "busy");
}
