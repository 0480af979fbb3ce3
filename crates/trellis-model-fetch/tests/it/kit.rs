//! A hub, a machine and the two put together.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use tempfile::TempDir;

use crate::sample;
use trellis_core::{Backoff, Secret};
use trellis_model_fetch::{
    EncoderSource, FetchError, Fetched, Hub, Layout, Progress, Request, RetryPolicy, Settings, fetch,
};

use crate::stand_in::{Content, Fault, Script, StandIn};

pub(crate) const REPO: &str = "microsoft/TRELLIS-image-large";
pub(crate) const FLOW: &str = "ckpts/slat_flow_img_dit_L_64l8p2_fp16.safetensors";

/// A hub that has the sample model, and a temporary folder to fetch to.
pub(crate) struct Bench {
    pub(crate) hub: StandIn,
    pub(crate) root: TempDir,
    pub(crate) told: Told,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let model = root.path().join("published");
        sample::write_model(&model).unwrap();
        fs::write(model.join("README.md"), "# A model\n").unwrap();
        sample::write_checkpoint(&model, "ss_enc_conv3d_16l8_fp16", "SparseStructureDecoder").unwrap();
        let hub = StandIn::start(Script::with_folder(REPO, &model)).await;
        Self {
            hub,
            root,
            told: Told::default(),
        }
    }

    /// Ranges of 20 000 bytes make seven of the largest file; waits are short.
    pub(crate) fn settings(&self) -> Settings {
        let mut settings = Settings::new(&self.hub.endpoint()).unwrap();
        settings.range_bytes = 20_000;
        settings.read_timeout = Duration::from_millis(300);
        settings.retry = RetryPolicy {
            limit: 3,
            waits: Backoff::new(Duration::from_millis(1), Duration::from_secs(5)),
        };
        settings
    }

    pub(crate) fn target(&self) -> PathBuf {
        self.root.path().join("fetched")
    }

    pub(crate) fn request(&self) -> Request {
        Request {
            repo: REPO.to_owned(),
            revision: "main".to_owned(),
            everything: false,
            layout: Layout::Folder(self.target()),
            encoder: EncoderSource::published(),
        }
    }

    pub(crate) async fn fetch(&self) -> Result<Fetched, FetchError> {
        self.fetch_with(self.settings()).await
    }

    pub(crate) async fn fetch_with(&self, settings: Settings) -> Result<Fetched, FetchError> {
        fetch(&Hub::new(settings)?, &self.request(), &self.told).await
    }

    pub(crate) fn fault(&self, path: &str, faults: impl IntoIterator<Item = Fault>) {
        let mut script = self.hub.script.lock().unwrap();
        script.faults.entry(path.to_owned()).or_default().extend(faults);
    }

    pub(crate) fn script(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.hub.script.lock().unwrap());
    }

    pub(crate) fn published(&self, path: &str) -> Vec<u8> {
        match &self.hub.script.lock().unwrap().files[REPO][path] {
            Content::Bytes(bytes) => bytes.to_vec(),
            Content::Made(_) => panic!("not kept"),
        }
    }

    pub(crate) fn token(text: &str) -> Option<Secret> {
        Secret::parse(text)
    }
}

/// Every file under a folder by its path, hidden ones too.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return all;
    };
    for path in entries.map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            all.extend(names(&path).into_iter().map(|inner| format!("{name}/{inner}")));
        } else {
            all.push(name);
        }
    }
    all.sort();
    all
}

/// What a download told, summed by file.
#[derive(Default)]
pub(crate) struct Told {
    /// Size, and bytes accounted for.
    pub(crate) files: Mutex<BTreeMap<String, (u64, u64)>>,
    pub(crate) waits: Mutex<Vec<String>>,
}

impl Told {
    fn change(&self, file: &str, change: impl FnOnce(&mut (u64, u64))) {
        change(self.files.lock().unwrap().entry(file.to_owned()).or_default());
    }
}

impl Progress for Told {
    fn started(&self, file: &str, bytes: u64, already: u64) {
        self.change(file, |told| *told = (bytes, already));
    }
    fn advanced(&self, file: &str, bytes: u64) {
        self.change(file, |told| told.1 += bytes);
    }
    fn lost(&self, file: &str, bytes: u64) {
        self.change(file, |told| told.1 -= bytes);
    }
    fn finished(&self, file: &str) {
        self.change(file, |told| assert_eq!(told.0, told.1, "{file}: told {told:?}"));
    }
    fn waiting(&self, why: &str, _: Duration) {
        self.waits.lock().unwrap().push(why.to_owned());
    }
}
