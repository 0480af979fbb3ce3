//! A server over a real store in a temporary folder, and what tests say to it.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::request::Builder;
use axum::http::{Method, Request, StatusCode, header};
use axum::response::Response;
use base64::Engine as _;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use trellis_backend::{Backend, Capabilities, Origin, Output, Readiness, Registry, Reporter};
use trellis_core::{
    Artifact, BackendChoice, Capability, Defaults, Failure, FailureKind, Format, GenerateError, Gpu,
    Installation, Pin, Progress, Quality, ServerBuild, Stage, WorkerCommand, WorkerCounters, WorkerState,
    WorkerStatus,
};
use trellis_jobs::{
    BlobKey, BlobStore, Claim, ClaimFilter, Delivered, Docketed, FolderBlobs, HeavyWork, JobLimits, Jobs,
    Outcome, SqliteStore, Staging, WorkerName,
};
use trellis_runner::LocalMakers;
use trellis_server::{
    AllowedHosts, AllowedOrigins, ApiKeys, AppParts, AppState, Entrance, HttpLimits, KeyRing, Metrics, Tls,
    TrustedProxies, app,
};
use trellis_webhook::WebhookRules;

/// A red PNG of 2 × 2 pixels.
const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAEElEQVR42mM4IScHRAwQCgAfJgQRSo6NIAAAAABJRU5ErkJggg==";

/// Two GPUs: one whose driver tells everything, one whose driver tells little.
pub(crate) fn gpus() -> Vec<Gpu> {
    let gpu = Gpu {
        index: 0,
        uuid: "GPU-8f1c".to_owned(),
        name: "NVIDIA GeForce RTX 5090".to_owned(),
        capability: Capability { major: 12, minor: 0 },
        memory_bytes: 32_000,
        free_bytes: 12_000,
        temperature: Some(61),
        utilisation: Some(75),
        power_milliwatts: Some(410_500),
        persistent: None,
        processes: Vec::new(),
    };
    let silent = Gpu {
        uuid: "MIG-2a".to_owned(),
        temperature: None,
        utilisation: None,
        power_milliwatts: None,
        ..gpu.clone()
    };
    vec![gpu, silent]
}

pub(crate) fn png() -> Bytes {
    base64::engine::general_purpose::STANDARD
        .decode(PNG)
        .unwrap()
        .into()
}

pub(crate) fn png_uri() -> String {
    format!("data:image/png;base64,{PNG}")
}

fn installation() -> Installation {
    let build = Pin::Unpinned {
        sha256: Some([0x55; 32].into()),
    };
    Installation {
        server: ServerBuild {
            version: "1.2.3".to_owned(),
            pin: build.clone(),
        },
        python_env: build,
        model_lock: None,
    }
}

/// A server and the folder under it, which goes when the test ends.
pub(crate) struct Kit {
    pub(crate) state: AppState,
    folder: tempfile::TempDir,
    worker: WorkerName,
}

/// What a test wants otherwise.
pub(crate) struct Wishes {
    pub(crate) limits: HttpLimits,
    pub(crate) jobs: JobLimits,
    pub(crate) staged_bytes: u64,
    pub(crate) heavy_work: HeavyWork,
    pub(crate) preprocessing: HeavyWork,
    pub(crate) readiness: Vec<fn() -> Readiness>,
    /// The state of a TRELLIS beside them; none: there is no TRELLIS.
    pub(crate) trellis: Option<fn() -> Readiness>,
    pub(crate) origins: AllowedOrigins,
    pub(crate) keys: Option<&'static str>,
    pub(crate) proxies: Vec<&'static str>,
    pub(crate) public_metrics: bool,
    /// What the worker of each backend counted, looked at again for each answer.
    pub(crate) counters: Arc<Mutex<WorkerCounters>>,
    pub(crate) gpus: Vec<Gpu>,
    pub(crate) webhooks: Option<WebhookRules>,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            limits: HttpLimits {
                body_bytes: 256 * 1024,
                ..HttpLimits::default()
            },
            jobs: JobLimits {
                max_pixels: 64_000_000,
                max_images: 3,
                queue_limit: 100,
                attempt_time: Duration::from_secs(900),
            },
            staged_bytes: 1 << 20,
            heavy_work: HeavyWork::new(16 << 20, Duration::from_secs(10)),
            preprocessing: HeavyWork::new(16 << 20, Duration::from_millis(100)),
            readiness: vec![|| Readiness::Ready],
            trellis: None,
            origins: AllowedOrigins::default(),
            keys: None,
            proxies: Vec::new(),
            public_metrics: false,
            counters: Arc::default(),
            gpus: Vec::new(),
            webhooks: Some(WebhookRules::default()),
        }
    }
}

impl Kit {
    pub(crate) fn new() -> Self {
        Self::with(Wishes::default())
    }

    pub(crate) fn with(wishes: Wishes) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let backends = wishes
            .readiness
            .into_iter()
            .map(Paper::preview)
            .chain(wishes.trellis.map(Paper::trellis))
            .map(|paper| paper.counting(&wishes.counters))
            .map(|paper| Arc::new(paper) as Arc<dyn Backend>);
        let registry = Arc::new(Registry::new(backends.collect()));
        let metrics = Metrics::new("1.2.3");
        let store = Arc::new(SqliteStore::open(&folder.path().join("jobs.db")).unwrap());
        let blobs: Arc<dyn BlobStore> = Arc::new(FolderBlobs::open(&folder.path().join("blobs")).unwrap());
        let state = AppState::new(AppParts {
            jobs: Jobs {
                store: Arc::new(
                    Docketed::new(store, Arc::clone(&blobs)).with_observer(Arc::new(metrics.clone())),
                ),
                blobs,
                defaults: Defaults {
                    quality: Quality::Exact,
                },
                makers: Arc::new(LocalMakers {
                    registry: Arc::clone(&registry),
                    origin: Arc::new(Origin::new(installation(), None)),
                }),
                limits: wishes.jobs,
                staging: Staging::new(wishes.staged_bytes),
                heavy_work: wishes.heavy_work,
            },
            here: Registry::clone(&registry),
            registry,
            limits: wishes.limits,
            version: "1.2.3".to_owned(),
            allowed_hosts: AllowedHosts::default(),
            trusted_proxies: TrustedProxies::new(wishes.proxies).unwrap(),
            allowed_origins: wishes.origins,
            metrics,
            crossworld: true,
            webhooks: wishes.webhooks,
            preprocessing: wishes.preprocessing,
            gpus: Arc::new(move || wishes.gpus.clone()),
            public_metrics: wishes.public_metrics,
            metrics_hosts: AllowedHosts::default(),
            projectorz_hosts: AllowedHosts::default(),
            keys: KeyRing::new(wishes.keys.map(|text| ApiKeys::parse(text).unwrap())),
        });
        Self {
            state,
            folder,
            worker: WorkerName("test".to_owned()),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        Answer::of(app(self.state.clone()).oneshot(request).await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path).body(Body::empty()).unwrap())
            .await
    }

    /// Submits one picture and returns the job's id.
    pub(crate) async fn submit(&self) -> String {
        let answer = self
            .send(submission(&json!({"images": [png_uri()], "params": {"seed": 7}})))
            .await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn claim(&self) -> Claim {
        let filter = ClaimFilter::of(BackendChoice::ALL.to_vec());
        let lease = Duration::from_secs(60);
        self.state
            .jobs
            .store
            .claim(&self.worker, &filter, Timestamp::now(), lease)
            .await
            .unwrap()
            .unwrap()
    }

    pub(crate) async fn progress(&self, claim: &Claim, step: u32) {
        let progress = Progress {
            stage: Stage::Texture,
            step,
            total: 9,
        };
        self.state
            .jobs
            .store
            .progress(&claim.lease, Timestamp::now(), progress)
            .await
            .unwrap();
    }

    pub(crate) async fn deliver_preview(&self, claim: &Claim, content: &[u8]) {
        let file = self.stored(claim, "preview.glb", content, true).await;
        self.state
            .jobs
            .store
            .preview(claim.lease.job, Timestamp::now(), file)
            .await
            .unwrap();
    }

    pub(crate) async fn succeed(&self, claim: &Claim, content: &[u8]) {
        let file = self.stored(claim, "model.glb", content, false).await;
        let outcome = Outcome {
            made_by: "paper".to_owned(),
            artifacts: vec![file],
            notes: vec!["folded once".to_owned()],
            timings: None,
            provenance: None,
            statement: None,
            latents: None,
            cache_key: None,
        };
        self.state
            .jobs
            .store
            .succeed(&claim.lease, Timestamp::now(), outcome)
            .await
            .unwrap();
    }

    pub(crate) async fn fail(&self, claim: &Claim) {
        let failure = Failure::new(FailureKind::NoObject, "no object was found in the picture");
        self.state
            .jobs
            .store
            .fail(&claim.lease, Timestamp::now(), failure)
            .await
            .unwrap();
    }

    async fn stored(&self, claim: &Claim, name: &str, content: &[u8], preview: bool) -> Delivered {
        let key = BlobKey::artifact(claim.lease.job, claim.lease.attempt, name);
        self.state
            .jobs
            .blobs
            .put(&key, Bytes::copy_from_slice(content))
            .await
            .unwrap();
        let artifact = Artifact {
            name: name.to_owned(),
            format: Format::Glb,
            media_type: Format::Glb.media_type().to_owned(),
            size_bytes: content.len() as u64,
            sha256: [0xab; 32].into(),
            preview,
        };
        Delivered { artifact, key }
    }

    /// Serves on a free port.
    pub(crate) async fn serve(&self) -> Served {
        self.serve_with(None).await
    }

    /// The same, with TLS.
    pub(crate) async fn serve_with(&self, tls: Option<Tls>) -> Served {
        let (listener, address, stop) = free_port().await;
        let entrance = Entrance::from(listener).with_tls(tls);
        let serving = trellis_server::serve(entrance, self.state.clone(), stop.clone().cancelled_owned());
        Served {
            address,
            stop,
            task: tokio::spawn(serving),
        }
    }

    /// Serves the figures alone on a free port.
    pub(crate) async fn serve_metrics(&self) -> Served {
        let (listener, address, stop) = free_port().await;
        let stopped = stop.clone().cancelled_owned();
        let serving = trellis_server::serve_metrics(listener, self.state.clone(), stopped);
        Served {
            address,
            stop,
            task: tokio::spawn(serving),
        }
    }
}

async fn free_port() -> (tokio::net::TcpListener, std::net::SocketAddr, CancellationToken) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address, CancellationToken::new())
}

/// A server that listens.
pub(crate) struct Served {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) stop: CancellationToken,
    pub(crate) task: tokio::task::JoinHandle<std::io::Result<()>>,
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Self {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Asserts that this is a problem of that kind in the form that all problems have.
    pub(crate) fn assert_problem(&self, status: u16, kind: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(self.header(header::CONTENT_TYPE), "application/problem+json");
        let problem = self.json();
        assert_eq!(
            problem["type"],
            format!("urn:trellis-server:problem:{kind}"),
            "{problem}"
        );
        assert_eq!(problem["status"], status);
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        for field in ["title", "detail", "fix"] {
            assert!(
                !problem[field].as_str().unwrap().is_empty(),
                "`{field}` of {problem}"
            );
        }
        problem
    }
}

pub(crate) fn request(method: Method, path: &str) -> Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "localhost")
}

/// A submission as JSON.
pub(crate) fn submission(body: &Value) -> Request<Body> {
    let request = request(Method::POST, "/v1/jobs").header(header::CONTENT_TYPE, "application/json");
    request.body(Body::from(body.to_string())).unwrap()
}

/// A submission as a form of `(name, content)` parts.
pub(crate) fn form(parts: &[(&str, &[u8])]) -> Request<Body> {
    let request =
        request(Method::POST, "/v1/jobs").header(header::CONTENT_TYPE, "multipart/form-data; boundary=cut");
    request.body(Body::from(form_body(parts))).unwrap()
}

pub(crate) fn form_body(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, content) in parts {
        let head = format!("--cut\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--cut--\r\n");
    body
}

/// Replaces what differs from run to run: ids, times, request ids.
pub(crate) fn settled(mut value: Value) -> Value {
    fn settle(key: &str, value: &mut Value) {
        match value {
            Value::Object(fields) => fields.iter_mut().for_each(|(key, value)| settle(key, value)),
            Value::Array(items) => items.iter_mut().for_each(|item| settle(key, item)),
            Value::String(text) if ["id", "job", "request_id", "next_cursor"].contains(&key) => {
                *text = format!("[{key}]");
            }
            Value::String(text) if key == "at" || key.ends_with("_at") => {
                text.parse::<Timestamp>().expect("a time");
                *text = format!("[{key}]");
            }
            _ => {}
        }
    }
    settle("", &mut value);
    value
}

/// A backend that is only looked at.
struct Paper {
    capabilities: Capabilities,
    choice: BackendChoice,
    readiness: fn() -> Readiness,
    counters: Arc<Mutex<WorkerCounters>>,
}

impl Paper {
    fn counting(mut self, counters: &Arc<Mutex<WorkerCounters>>) -> Self {
        self.counters = Arc::clone(counters);
        self
    }

    fn trellis(readiness: fn() -> Readiness) -> Self {
        let mut trellis = Self::preview(readiness);
        trellis.choice = BackendChoice::Trellis;
        trellis.capabilities.name = "trellis";
        trellis.capabilities.preview = false;
        trellis
    }

    fn preview(readiness: fn() -> Readiness) -> Self {
        let capabilities = Capabilities {
            name: "paper",
            description: "folds, for tests",
            preview: true,
            formats: vec![Format::Glb, Format::Stl],
            multiview: false,
            slots: 1,
        };
        Self {
            capabilities,
            choice: BackendChoice::Relief,
            readiness,
            counters: Arc::default(),
        }
    }
}

#[async_trait::async_trait]
impl Backend for Paper {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn choice(&self) -> BackendChoice {
        self.choice
    }

    fn readiness(&self) -> Readiness {
        (self.readiness)()
    }

    fn variant(&self) -> Option<&str> {
        Some("FOLDS=valley")
    }

    fn textures_meshes(&self) -> Result<(), Failure> {
        match self.choice {
            BackendChoice::Trellis => Ok(()),
            _ => Err(Failure::new(FailureKind::Unsupported, "paper stays white")),
        }
    }

    fn workers(&self) -> Vec<WorkerStatus> {
        vec![WorkerStatus {
            name: "paper-0".to_owned(),
            state: WorkerState::Ready,
            reason: "waiting for a job".to_owned(),
            failure: None,
            job: None,
            pid: Some(7),
            gpu: Some("GPU-8f1c".to_owned()),
            gpu_name: Some("NVIDIA GeForce RTX 5090 Laptop GPU".to_owned()),
            low_vram: false,
            versions: vec!["torch 2.9.1+cu128".to_owned()],
            counters: self.counters.lock().unwrap().clone(),
        }]
    }

    fn command(&self, worker: &str, _command: WorkerCommand) -> bool {
        worker == "paper-0"
    }

    async fn generate(
        &self,
        _request: trellis_backend::Request,
        _reporter: &dyn Reporter,
        _cancel: CancellationToken,
    ) -> Result<Output, GenerateError> {
        Err(Failure::new(FailureKind::Unsupported, "paper does not generate").into())
    }
}
