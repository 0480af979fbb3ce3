//! StableProjectorz's dialect where it waits: what is told meanwhile, who is told, and how it ends. The forms and texts
//! are held by `tests/compat/projectorz.py`.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tower::ServiceExt as _;
use trellis_server::projectorz_app;

use crate::kit::{Answer, Kit, Wishes, png, request};

/// The dialect over a server's jobs, which nobody works on but the test.
struct Dialect {
    kit: Kit,
    routes: Router,
    key: Option<&'static str>,
}

impl Dialect {
    fn of(kit: Kit) -> Self {
        Self {
            routes: projectorz_app(&kit.state),
            kit,
            key: None,
        }
    }

    fn request(&self, method: Method, path: &str, form: String) -> Request<Body> {
        let request = request(method, path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = match self.key {
            Some(key) => request.header(header::AUTHORIZATION, format!("Bearer {key}")),
            None => request,
        };
        request.body(form.into()).unwrap()
    }

    fn sent(&self, request: Request<Body>) -> JoinHandle<Answer> {
        let routes = self.routes.clone();
        tokio::spawn(async move { Answer::of(routes.oneshot(request).await.unwrap()).await })
    }

    async fn get(&self, path: &str) -> Answer {
        self.sent(self.request(Method::GET, path, String::new()))
            .await
            .unwrap()
    }

    async fn post(&self, path: &str) -> Answer {
        self.sent(self.request(Method::POST, path, String::new()))
            .await
            .unwrap()
    }

    /// Asks for a generation, until it is under way.
    async fn begin(&self, path: &str) -> JoinHandle<Answer> {
        let picture = STANDARD.encode(png()).replace('+', "%2B");
        let form = format!("seed=7&image_base64={picture}");
        let sent = self.sent(self.request(Method::POST, path, form));
        while self.status().await["message"] != "Generating 3D structure..." {
            assert!(!sent.is_finished(), "{}", sent.await.unwrap().text());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        sent
    }

    async fn status(&self) -> Value {
        self.get("/status").await.json()
    }

    async fn finish(&self) {
        let claim = self.kit.claim().await;
        self.kit.succeed(&claim, b"glTF").await;
    }
}

fn told(status: &str, progress: u8, message: &str, busy: bool) -> Value {
    json!({ "status": status, "progress": progress, "message": message, "busy": busy })
}

fn assert_detail(answer: &Answer, status: u16, detail: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
    assert_eq!(answer.json(), json!({ "detail": detail }));
}

#[tokio::test]
async fn while_it_works_it_says_how_far_it_is_and_takes_no_other() {
    let dialect = Dialect::of(Kit::new());
    let waiting = dialect.begin("/generate_no_preview").await;
    let expected = told("PROCESSING", 10, "Generating 3D structure...", true);
    assert_eq!(dialect.status().await, expected);
    assert_eq!(dialect.get("/ping").await.json()["busy"], true);
    let busy = "Server is busy with another generation";
    for path in [
        "/generate_no_preview",
        "/generate_multi_preview",
        "/resume_from_preview",
    ] {
        assert_detail(&dialect.post(path).await, 503, busy);
    }
    assert_detail(&dialect.post("/generate").await, 500, &format!("503: {busy}"));
    let claim = dialect.kit.claim().await;
    dialect.kit.progress(&claim, 4).await;
    let expected = told("PROCESSING", 70, "Generating GLB file...", true);
    assert_eq!(dialect.status().await, expected);
    dialect.kit.succeed(&claim, b"glTF").await;
    assert_eq!(waiting.await.unwrap().json()["model_url"], "/download/model");
    let expected = told("COMPLETE", 100, "Generation complete", false);
    assert_eq!(dialect.status().await, expected);
    assert_eq!(dialect.get("/download/model").await.text(), "glTF");
}

/// StableProjectorz asks `/status` beside its request, and takes anything but `PROCESSING` without an answer for a failure.
#[tokio::test]
async fn the_end_is_told_when_the_answer_is_handed_over() {
    let dialect = Dialect::of(Kit::new());
    let picture = STANDARD.encode(png()).replace('+', "%2B");
    let form = format!("seed=7&image_base64={picture}");
    let request = dialect.request(Method::POST, "/generate_no_preview", form);
    let answer = tokio::spawn(dialect.routes.clone().oneshot(request));
    while dialect.status().await["message"] != "Generating 3D structure..." {
        assert!(!answer.is_finished());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    dialect.finish().await;
    let answer = answer.await.unwrap().unwrap();
    let expected = told("PROCESSING", 70, "Generating GLB file...", true);
    assert_eq!(dialect.status().await, expected, "it does not begin again");
    let answer = Answer::of(answer).await;
    assert_eq!(answer.json()["status"], "COMPLETE");
    let expected = told("COMPLETE", 100, "Generation complete", false);
    assert_eq!(dialect.status().await, expected);
}

#[tokio::test]
async fn a_request_that_still_arrives_is_told_as_under_way() {
    let dialect = Dialect::of(Kit::new());
    let first = dialect.begin("/generate_no_preview").await;
    dialect.finish().await;
    first.await.unwrap();
    let complete = told("COMPLETE", 100, "Generation complete", false);
    assert_eq!(dialect.status().await, complete);
    for interrupted in [false, true] {
        let (parts, body) = futures::channel::mpsc::unbounded::<Result<&'static [u8], std::io::Error>>();
        let request = dialect.request(Method::POST, "/generate_no_preview", String::new());
        // The question may even come first.
        let asked = dialect.sent(dialect.request(Method::GET, "/status", String::new()));
        tokio::time::sleep(Duration::from_millis(5)).await;
        let sent = dialect.sent(request.map(|_| Body::from_stream(body)));
        assert_eq!(asked.await.unwrap().json()["status"], "PROCESSING");
        parts.unbounded_send(Ok(b"seed=7&image_base64=")).unwrap();
        assert_eq!(dialect.status().await, told("PROCESSING", 0, "", false));
        if interrupted {
            let answer = dialect.post("/interrupt").await.json();
            assert_eq!(answer, json!({ "status": "interrupt_requested" }));
            assert_detail(&sent.await.unwrap(), 499, "Generation cancelled by user");
        } else {
            parts.unbounded_send(Err(std::io::Error::other("gone"))).unwrap();
            assert!(sent.await.unwrap().status.is_client_error());
        }
        assert_eq!(dialect.status().await, complete, "it never was a generation");
        assert_eq!(dialect.get("/download/model").await.text(), "glTF");
    }
}

#[tokio::test]
async fn an_interrupt_cancels_the_job_and_frees_the_way() {
    let dialect = Dialect::of(Kit::new());
    let waiting = dialect.begin("/generate_no_preview").await;
    let answer = dialect.post("/interrupt").await;
    assert_eq!(answer.json(), json!({ "status": "interrupt_requested" }));
    assert_detail(&waiting.await.unwrap(), 499, "Generation cancelled by user");
    let expected = told("FAILED", 0, "Cancelled by user", false);
    assert_eq!(dialect.status().await, expected);
    let jobs = dialect.kit.get("/v1/jobs").await.json();
    assert_eq!(jobs["jobs"][0]["state"], "cancelled");
    let answer = dialect.post("/interrupt").await;
    assert_eq!(answer.json(), json!({ "status": "no_generation_in_progress" }));
    let again = dialect.begin("/generate_no_preview").await;
    dialect.finish().await;
    assert_eq!(again.await.unwrap().status, 200);
}

#[tokio::test]
async fn a_client_that_hangs_up_finds_its_model_later() {
    let dialect = Dialect::of(Kit::new());
    let waiting = dialect.begin("/generate_no_preview").await;
    waiting.abort();
    assert!(waiting.await.is_err_and(|error| error.is_cancelled()));
    dialect.finish().await;
    let expected = told("COMPLETE", 100, "Generation complete", false);
    while dialect.status().await != expected {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(dialect.get("/download/model").await.text(), "glTF");
}

#[tokio::test]
async fn a_failure_is_told_and_leaves_no_model_of_another_generation() {
    let dialect = Dialect::of(Kit::new());
    let first = dialect.begin("/generate_no_preview").await;
    dialect.finish().await;
    assert_eq!(first.await.unwrap().status, 200);
    let second = dialect.begin("/generate_no_preview").await;
    let claim = dialect.kit.claim().await;
    dialect.kit.fail(&claim).await;
    let answer = second.await.unwrap();
    assert_eq!(answer.status, 500);
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.starts_with("no object was found in the picture; "),
        "{detail}"
    );
    assert_eq!(dialect.status().await, told("FAILED", 0, &detail, false));
    assert_detail(&dialect.get("/download/model").await, 404, "Mesh not found");
}

#[tokio::test]
async fn the_preview_s_pictures_and_seed_are_those_of_the_model() {
    let dialect = Dialect::of(Kit::new());
    let preview = dialect.begin("/generate_preview").await;
    dialect.finish().await;
    assert_eq!(preview.await.unwrap().json()["status"], "PREVIEW_READY");
    let path = "/resume_from_preview?mesh_simplify_ratio=0.5";
    let resumed = dialect.sent(dialect.request(Method::POST, path, String::new()));
    while dialect.status().await["message"] != "Generating final GLB..." {
        assert!(!resumed.is_finished(), "{}", resumed.await.unwrap().text());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    dialect.finish().await;
    assert_eq!(resumed.await.unwrap().json()["status"], "COMPLETE");
    let jobs = dialect.kit.get("/v1/jobs").await.json();
    let (model, preview) = (&jobs["jobs"][0], &jobs["jobs"][1]);
    assert_eq!(model["inputs"], preview["inputs"]);
    let mut params = preview["params"].clone();
    params["mesh_simplify"] = json!(0.5);
    assert_eq!(model["params"], params);
}

#[tokio::test]
async fn a_trace_goes_on_with_each_of_its_jobs() {
    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let dialect = Dialect::of(Kit::new());
    let traced = |mut request: Request<Body>| {
        request
            .headers_mut()
            .insert("traceparent", TRACE.parse().unwrap());
        dialect.sent(request)
    };
    let picture = STANDARD.encode(png()).replace('+', "%2B");
    let preview = dialect.request(
        Method::POST,
        "/generate_preview",
        format!("image_base64={picture}"),
    );
    let resumed = dialect.request(Method::POST, "/resume_from_preview", String::new());
    let body = json!({ "single_multi_img_input": [STANDARD.encode(png())] }).to_string();
    let panel = request(Method::POST, "/generate").header(header::CONTENT_TYPE, "application/json");
    for request in [preview, resumed, panel.body(body.into()).unwrap()] {
        let waiting = traced(request);
        while dialect.kit.state.jobs.stats().await.unwrap().queued == 0 {
            assert!(!waiting.is_finished(), "{}", waiting.await.unwrap().text());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        dialect.finish().await;
        assert_eq!(waiting.await.unwrap().status, 200);
    }
    let jobs = dialect.kit.get("/v1/jobs").await.json();
    let jobs = jobs["jobs"].as_array().unwrap();
    assert_eq!(jobs.len(), 3);
    assert!(jobs.iter().all(|job| job["traceparent"] == TRACE), "{jobs:?}");
}

/// Every route with every method, and what is no route.
#[tokio::test]
async fn without_a_key_nothing_is_answered() {
    let dialect = Dialect::of(Kit::with(Wishes {
        keys: Some("studio s3cret-of-the-studio"),
        ..Wishes::default()
    }));
    for path in [
        "/ping",
        "/status",
        "/generate",
        "/generate_no_preview",
        "/generate_preview",
        "/generate_multi_no_preview",
        "/generate_multi_preview",
        "/resume_from_preview",
        "/interrupt",
        "/info/supported_operations",
        "/download/model",
        "/download/preview/gaussian",
        "/download/spz-ui-layout/generation-3d-panel",
        "/nowhere",
        "/v1/jobs",
        "/metrics",
    ] {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let request = dialect.request(method.parse().unwrap(), path, String::new());
            let answer = dialect.sent(request).await.unwrap();
            answer.assert_problem(401, "api_key_missing");
        }
    }
}

#[tokio::test]
async fn each_key_has_its_own_generation() {
    let mut dialect = Dialect::of(Kit::with(Wishes {
        keys: Some("studio s3cret-of-the-studio\nclient the-other-secret"),
        ..Wishes::default()
    }));
    dialect.key = Some("s3cret-of-the-studio");
    let waiting = dialect.begin("/generate_no_preview").await;
    dialect.finish().await;
    assert_eq!(waiting.await.unwrap().status, 200);
    let waiting = dialect.begin("/generate_no_preview").await;
    dialect.key = Some("the-other-secret");
    assert_eq!(dialect.status().await, told("FAILED", 0, "", false));
    assert_detail(&dialect.get("/download/model").await, 404, "Mesh not found");
    let answer = dialect.post("/interrupt").await;
    assert_eq!(answer.json(), json!({ "status": "no_generation_in_progress" }));
    assert!(!waiting.is_finished());
    dialect.finish().await;
    assert_eq!(waiting.await.unwrap().status, 200);
}

/// A page of another site has no business here, and a browser would let it send a form.
#[tokio::test]
async fn a_page_of_another_site_cannot_generate() {
    let dialect = Dialect::of(Kit::new());
    let mut request = dialect.request(Method::POST, "/generate_no_preview", "image_base64=x".to_owned());
    let headers = request.headers_mut();
    headers.insert("sec-fetch-site", "cross-site".parse().unwrap());
    headers.insert(header::ORIGIN, "https://evil.example".parse().unwrap());
    dialect
        .sent(request)
        .await
        .unwrap()
        .assert_problem(403, "cross_origin");
}
