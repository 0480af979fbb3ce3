//! What is fetched, where it goes, and what is asked of the hub for it.

use std::fs;

use crate::sample;
use trellis_core::Explain as _;
use trellis_model_fetch::{FetchError, How, Hub, fetch, fetch_files};
use trellis_models::check::check;
use trellis_models::{Located, Places};

use crate::kit::{Bench, FLOW, REPO, names};
use crate::stand_in::{COMMIT, Fault};

#[tokio::test]
async fn fetches_what_inference_reads_byte_for_byte_and_it_checks() {
    let bench = Bench::new().await;
    let fetched = bench.fetch().await.unwrap();
    assert_eq!((fetched.revision.as_str(), fetched.files.len()), (COMMIT, 13));
    assert!(fetched.missing.is_empty());
    for name in names(&bench.target()) {
        assert_eq!(
            fs::read(bench.target().join(&name)).unwrap(),
            bench.published(&name),
            "{name}"
        );
    }
    assert!(
        !bench.target().join("README.md").exists(),
        "inference does not read it"
    );
    assert!(!bench.target().join("ckpts/ss_enc_conv3d_16l8_fp16.json").exists());
    let located = Located {
        folder: bench.target(),
        snapshot: None,
    };
    assert!(check(&located, &Places::under(bench.root.path())).passed());
}

#[tokio::test]
async fn large_files_come_in_ranges_and_a_second_run_asks_for_no_bytes() {
    let bench = Bench::new().await;
    bench.fetch().await.unwrap();
    let ranges = |bench: &Bench| {
        let requests = bench.hub.script.lock().unwrap().requests.clone();
        requests.into_iter().filter(|(path, ..)| path == FLOW).count()
    };
    let size = bench.published(FLOW).len();
    assert_eq!(ranges(&bench), size.div_ceil(20_000));
    let before = bench.hub.script.lock().unwrap().requests.len();
    let again = bench.fetch().await.unwrap();
    assert_eq!(bench.hub.script.lock().unwrap().requests.len(), before);
    assert!(again.files.iter().all(|file| file.how == How::AlreadyThere));
}

#[tokio::test]
async fn a_damaged_file_in_place_is_replaced() {
    let bench = Bench::new().await;
    bench.fetch().await.unwrap();
    let mut bytes = bench.published(FLOW);
    bytes[77] ^= 1;
    fs::write(bench.target().join(FLOW), bytes).unwrap();
    let again = bench.fetch().await.unwrap();
    let flow = again.files.iter().find(|file| file.path == FLOW).unwrap();
    assert_eq!(flow.how, How::Downloaded);
    assert_eq!(
        fs::read(bench.target().join(FLOW)).unwrap(),
        bench.published(FLOW)
    );
}

#[tokio::test]
async fn everything_means_everything_over_pages_of_a_listing() {
    let bench = Bench::new().await;
    bench.script(|script| script.page = 4);
    let mut request = bench.request();
    request.everything = true;
    let hub = Hub::new(bench.settings()).unwrap();
    let fetched = fetch(&hub, &request, &bench.told).await.unwrap();
    assert_eq!(fetched.files.len(), 16);
    assert!(bench.target().join("README.md").exists());
}

#[tokio::test]
async fn ten_interruptions_end_byte_exact_and_no_finished_range_is_asked_for_again() {
    let bench = Bench::new().await;
    let mut settings = bench.settings();
    settings.connections = 1;
    settings.range_bytes = 10_000;
    settings.retry.limit = 0;
    for round in 0..10 {
        bench.fault(FLOW, [Fault::Pass, Fault::Cut(100)]);
        let error = bench.fetch_with(settings.clone()).await.unwrap_err();
        assert_eq!(error.kind(), "unreachable", "round {round}: {error}");
        assert!(
            !bench.target().join(FLOW).exists(),
            "nothing half-written in place"
        );
    }
    let fetched = bench.fetch_with(settings).await.unwrap();
    let flow = fetched.files.iter().find(|file| file.path == FLOW).unwrap();
    assert_eq!(flow.how, How::Resumed);
    let bytes = fs::read(bench.target().join(FLOW)).unwrap();
    assert_eq!(bytes, bench.published(FLOW));
    let requests = bench.hub.script.lock().unwrap().requests.clone();
    let asked = requests.iter().filter(|(path, ..)| path == FLOW).count();
    assert_eq!(asked, bytes.len().div_ceil(10_000) + 10);
    let hidden = names(&bench.target())
        .into_iter()
        .filter(|name| name.contains("trellis-part"));
    assert_eq!(hidden.count(), 0);
}

#[tokio::test]
async fn other_repositories_of_a_text_model_come_where_the_loader_looks() {
    let bench = Bench::new().await;
    let text = bench.root.path().join("text");
    fs::create_dir_all(&text).unwrap();
    let other = format!("{REPO}/ckpts/ss_dec_conv3d_16l8_fp16");
    fs::write(
        text.join("pipeline.json"),
        sample::pipeline_text().replace("\"ckpts/ss_dec_conv3d_16l8_fp16\"", &format!("\"{other}\"")),
    )
    .unwrap();
    for (_, name, class) in sample::MODELS.into_iter().skip(1) {
        sample::write_checkpoint(&text, name, class).unwrap();
    }
    bench.script(|script| script.add_folder("microsoft/TRELLIS-text-base", &text));
    let mut request = bench.request();
    request.repo = "microsoft/TRELLIS-text-base".to_owned();
    let fetched = fetch(&Hub::new(bench.settings()).unwrap(), &request, &bench.told)
        .await
        .unwrap();
    assert!(fetched.missing.is_empty());
    assert!(bench.target().join(format!("{other}.safetensors")).is_file());
    let located = Located {
        folder: bench.target(),
        snapshot: None,
    };
    assert!(check(&located, &Places::under(bench.root.path())).passed());
}

#[tokio::test]
async fn single_files_are_fetched_by_name_and_a_wrong_name_is_said() {
    let bench = Bench::new().await;
    let hub = Hub::new(bench.settings()).unwrap();
    let files = fetch_files(&hub, &bench.request(), &[FLOW.to_owned()], &bench.told)
        .await
        .unwrap();
    assert_eq!((files.len(), names(&bench.target())), (1, vec![FLOW.to_owned()]));
    let error = fetch_files(&hub, &bench.request(), &["ckpts/x.json".to_owned()], &bench.told).await;
    assert_eq!(
        error.unwrap_err().to_string(),
        format!("`ckpts/x.json in {REPO}` does not exist")
    );
}

#[tokio::test]
async fn a_checkpoint_that_the_repository_lacks_is_told() {
    let bench = Bench::new().await;
    bench.script(|script| {
        let files = script.files.get_mut(REPO).unwrap();
        files.remove(FLOW);
    });
    let fetched = bench.fetch().await.unwrap();
    assert_eq!(fetched.missing, [FLOW.trim_end_matches(".safetensors")]);
}

#[tokio::test]
async fn the_token_goes_to_the_hub_and_what_is_no_model_is_refused() {
    let bench = Bench::new().await;
    bench.script(|script| script.token = Some("hf_secret".to_owned()));
    let error = bench.fetch().await.unwrap_err();
    assert!(
        matches!(
            error,
            FetchError::Refused {
                status: 401,
                with_token: false,
                ..
            }
        ),
        "{error}"
    );
    let mut settings = bench.settings();
    settings.token = Bench::token("hf_secret");
    bench.fetch_with(settings.clone()).await.unwrap();
    settings.token = Bench::token("hf_other");
    let error = bench.fetch_with(settings).await.unwrap_err();
    assert!(
        matches!(error, FetchError::Refused { with_token: true, .. }),
        "{error}"
    );

    bench.script(|script| {
        script.token = None;
        script.files.get_mut(REPO).unwrap().remove("pipeline.json");
    });
    assert_eq!(bench.fetch().await.unwrap_err().kind(), "no_pipeline");
}

#[tokio::test]
async fn offline_is_refused_before_any_connection() {
    let bench = Bench::new().await;
    let mut settings = bench.settings();
    settings.offline = true;
    assert_eq!(bench.fetch_with(settings).await.unwrap_err().kind(), "offline");
    assert!(bench.hub.script.lock().unwrap().requests.is_empty());
}
