//! TRELLIS.2's folder: put together of its own repository, of TRELLIS's, and of timm's DINOv3.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use trellis_core::Explain as _;
use trellis_core::Sha256;
use trellis_model_fetch::{
    EncoderSource, FetchError, How, Hub, Layout, Planned, Request, Settings, fetch, prepare,
};
use trellis_models::dinov3::{Dinov3Error, convert_sized};

use crate::kit::{Told, names};
use crate::sample;
use crate::sample::timm::{self, SMALL};
use crate::stand_in::{Script, StandIn};

const REPO: &str = "microsoft/TRELLIS.2-4B";
const TIMM: &str = "timm/vit_large_patch16_dinov3_qkvb.lvd1689m";
const NEEDED: [&str; 20] = [
    "ckpts/shape_dec_next_dc_f16c32_fp16.json",
    "ckpts/shape_dec_next_dc_f16c32_fp16.safetensors",
    "ckpts/shape_enc_next_dc_f16c32_fp16.safetensors",
    "ckpts/slat_flow_img2shape_dit_1_3B_1024_bf16.json",
    "ckpts/slat_flow_img2shape_dit_1_3B_1024_bf16.safetensors",
    "ckpts/slat_flow_img2shape_dit_1_3B_512_bf16.json",
    "ckpts/slat_flow_img2shape_dit_1_3B_512_bf16.safetensors",
    "ckpts/slat_flow_imgshape2tex_dit_1_3B_1024_bf16.json",
    "ckpts/slat_flow_imgshape2tex_dit_1_3B_1024_bf16.safetensors",
    "ckpts/slat_flow_imgshape2tex_dit_1_3B_512_bf16.json",
    "ckpts/slat_flow_imgshape2tex_dit_1_3B_512_bf16.safetensors",
    "ckpts/ss_dec_conv3d_16l8_fp16.json",
    "ckpts/ss_dec_conv3d_16l8_fp16.safetensors",
    "ckpts/ss_flow_img_dit_1_3B_64_bf16.json",
    "ckpts/ss_flow_img_dit_1_3B_64_bf16.safetensors",
    "ckpts/tex_dec_next_dc_f16c32_fp16.json",
    "ckpts/tex_dec_next_dc_f16c32_fp16.safetensors",
    "dinov3/config.json",
    "dinov3/model.safetensors",
    "pipeline.json",
];

/// A hub with the three repositories, and what a small encoder is made of.
struct Kit {
    root: TempDir,
    hub: StandIn,
    encoder: EncoderSource,
    told: Told,
}

impl Kit {
    async fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = |name: &str| root.path().join(name);
        sample::write_trellis2_repository(&folder("own")).unwrap();
        // As in the release, where it has a configuration beside it.
        fs::write(
            folder("own").join("ckpts/shape_enc_next_dc_f16c32_fp16.json"),
            "{}",
        )
        .unwrap();
        sample::write_model(&folder("large")).unwrap();
        fs::create_dir(folder("timm")).unwrap();
        let from = timm::write(&folder("timm"), &timm::timm());
        fs::rename(&from, folder("timm/model.safetensors")).unwrap();
        let from = folder("timm/model.safetensors");
        let mut script = Script::with_folder(REPO, &folder("own"));
        script.add_folder(sample::LARGE, &folder("large"));
        script.add_folder(TIMM, &folder("timm"));
        let encoder = EncoderSource {
            sha256: Some(Sha256::of(fs::read(&from).unwrap()).to_string()),
            size: SMALL,
            result: result_of(&from, root.path()),
            ..EncoderSource::published()
        };
        Self {
            hub: StandIn::start(script).await,
            root,
            encoder,
            told: Told::default(),
        }
    }

    fn target(&self) -> std::path::PathBuf {
        self.root.path().join("fetched")
    }

    fn request(&self, layout: Layout) -> Request {
        Request {
            repo: REPO.to_owned(),
            revision: "main".to_owned(),
            everything: false,
            layout,
            encoder: self.encoder.clone(),
        }
    }

    fn client(&self) -> Hub {
        let mut settings = Settings::new(&self.hub.endpoint()).unwrap();
        settings.retry.limit = 0;
        Hub::new(settings).unwrap()
    }

    async fn fetch(&self) -> Result<trellis_model_fetch::Fetched, FetchError> {
        fetch(
            &self.client(),
            &self.request(Layout::Folder(self.target())),
            &self.told,
        )
        .await
    }
}

/// The digest of what a file converts to: a conversion that expects another one tells it.
fn result_of(from: &Path, folder: &Path) -> String {
    match convert_sized(from, &folder.join("tried"), SMALL, "none", &|_| {}) {
        Err(Dinov3Error::Other { found, .. }) => found.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_folder_has_what_the_worker_reads_and_nothing_else() {
    let kit = Kit::new().await;
    let fetched = kit.fetch().await.unwrap();
    assert!(fetched.missing.is_empty());
    assert_eq!(
        fetched.files.len(),
        19,
        "the picture encoder's configuration is written, not fetched"
    );
    assert_eq!(names(&kit.target()), NEEDED);
    let weights = fs::read(kit.target().join("dinov3/model.safetensors")).unwrap();
    assert_eq!(Sha256::of(weights).to_string(), kit.encoder.result);
    let before = kit.hub.script.lock().unwrap().requests.len();
    let again = kit.fetch().await.unwrap();
    assert!(again.files.iter().all(|file| file.how == How::AlreadyThere));
    assert_eq!(
        kit.hub.script.lock().unwrap().requests.len(),
        before,
        "nothing is fetched twice"
    );
}

#[tokio::test]
async fn what_will_come_is_told_with_its_licences_before_it_does() {
    let kit = Kit::new().await;
    let request = kit.request(Layout::Folder(kit.target()));
    let prepared = prepare(&kit.client(), request, &kit.told).await.unwrap();
    assert_eq!(names(&kit.target()), ["pipeline.json"]);
    let planned = prepared.planned();
    let told: Vec<(&str, usize, Option<&str>)> = planned
        .iter()
        .map(|part| (part.from.as_str(), part.files, part.licence.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            (REPO, 15, Some("MIT")),
            (sample::LARGE, 2, Some("MIT")),
            (TIMM, 1, Some("DINOv3 License")),
        ]
    );
    let encoder: &Planned = &planned[2];
    assert!(
        encoder.left > encoder.bytes,
        "the result needs room beside its source"
    );
    prepared.fetch(&kit.client(), &kit.told).await.unwrap();
    let again = prepare(
        &kit.client(),
        kit.request(Layout::Folder(kit.target())),
        &kit.told,
    )
    .await;
    let again = again.unwrap().planned();
    assert_eq!(again.iter().map(|part| part.left).sum::<u64>(), 0);
    assert_eq!(again.len(), 2, "the encoder is there");
}

#[tokio::test]
async fn an_encoder_of_other_weights_is_refused_before_they_come() {
    let mut kit = Kit::new().await;
    kit.encoder.sha256 = Some("0".repeat(64));
    assert_eq!(kit.fetch().await.unwrap_err().kind(), "wrong_digest");
    let requests = kit.hub.script.lock().unwrap().requests.clone();
    assert!(
        requests.iter().all(|(path, ..)| path == "pipeline.json"),
        "{requests:?}"
    );
}

#[tokio::test]
async fn an_encoder_that_comes_out_otherwise_is_not_kept() {
    let mut kit = Kit::new().await;
    kit.encoder.result = "0".repeat(64);
    let error = kit.fetch().await.unwrap_err();
    assert_eq!(error.kind(), "encoder");
    assert!(!kit.target().join("dinov3/model.safetensors").exists());
}

/// A folder from before the encoder of shapes was fetched, or of a repository that has none.
#[tokio::test]
async fn the_encoder_of_shapes_is_added_to_a_folder_without_it_and_may_be_in_no_repository() {
    let kit = Kit::new().await;
    kit.fetch().await.unwrap();
    let weights = "ckpts/shape_enc_next_dc_f16c32_fp16.safetensors";
    fs::remove_file(kit.target().join(weights)).unwrap();
    let again = kit.fetch().await.unwrap();
    let came: Vec<&str> = again
        .files
        .iter()
        .filter(|file| file.how != How::AlreadyThere)
        .map(|file| file.path.as_str())
        .collect();
    assert_eq!(came, [weights]);

    fs::remove_dir_all(kit.target()).unwrap();
    {
        let mut script = kit.hub.script.lock().unwrap();
        script.files.get_mut(REPO).unwrap().remove(weights);
    }
    let without = kit.fetch().await.unwrap();
    assert!(without.missing.is_empty(), "{:?}", without.missing);
    assert!(!names(&kit.target()).contains(&weights.to_owned()));
}

#[tokio::test]
async fn a_hub_cache_cannot_hold_it() {
    let kit = Kit::new().await;
    let layout = Layout::Cache(kit.root.path().join("cache"));
    let error = fetch(&kit.client(), &kit.request(layout), &kit.told)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), "folder_needed");
}
