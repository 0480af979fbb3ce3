//! The few calls of the v1 interface that the tests make by themselves.

use std::time::Duration;

use bytes::Bytes;
use reqwest::multipart::{Form, Part};
use reqwest::{Response, StatusCode};
use serde_json::Value;
use trellis_core::Sha256;

/// A client of one server.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
}

fn http() -> reqwest::ClientBuilder {
    let _ = rustls::crypto::ring::default_provider().install_default();
    // No roots: the tests need no certificates on the machine.
    reqwest::Client::builder()
        .timeout(Duration::from_secs(60))
        .tls_certs_only([])
}

/// Status and text of the answer at a whole address.
pub(crate) async fn get(url: &str, key: Option<&str>) -> (StatusCode, String) {
    let mut call = http().build().expect("a client").get(url);
    if let Some(key) = key {
        call = call.bearer_auth(key);
    }
    let response = call.send().await.expect("an answer");
    (response.status(), response.text().await.expect("a text"))
}

impl Client {
    pub(crate) fn new(address: &str) -> Self {
        Self {
            http: http().build().expect("a client"),
            base: format!("{address}/v1"),
        }
    }

    /// One that shows an API key.
    pub(crate) fn with_key(address: &str, key: &str) -> Self {
        let shown = format!("Bearer {key}").parse().expect("it is ASCII");
        let headers = [(reqwest::header::AUTHORIZATION, shown)];
        Self {
            http: http()
                .default_headers(headers.into_iter().collect())
                .build()
                .expect("a client"),
            base: format!("{address}/v1"),
        }
    }

    /// Submits one picture. `Err`: no answer, so nobody knows whether it was accepted.
    pub(crate) async fn submit(&self, picture: Vec<u8>, key: &str) -> reqwest::Result<Response> {
        self.submit_form(picture, key, |form| form).await
    }

    /// The same with more parts in its form.
    pub(crate) async fn submit_form(
        &self,
        picture: Vec<u8>,
        key: &str,
        more: impl FnOnce(Form) -> Form,
    ) -> reqwest::Result<Response> {
        let form = Form::new()
            .part("image", Part::bytes(picture).file_name("photo.png"))
            .text("params", r#"{"seed": 1, "texture_size": 512}"#);
        let call = self
            .http
            .post(format!("{}/jobs", self.base))
            .header("Idempotency-Key", key)
            // Tests send the same picture again and again, and each is to be worked on.
            .header("Cache-Control", "no-cache");
        call.multipart(more(form)).send().await
    }

    /// Submits one picture that is taken for sure, and returns the job's id.
    pub(crate) async fn accepted(&self, picture: Vec<u8>, key: &str) -> String {
        let response = self.submit(picture, key).await.expect("an answer");
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        let job: Value = response.json().await.expect("JSON");
        job["id"].as_str().expect("an id").to_owned()
    }

    /// Submits one picture with these parameters, taking a kept result, and returns the finished job.
    pub(crate) async fn asked(&self, picture: Vec<u8>, params: &Value) -> Value {
        let form = Form::new()
            .part("image", Part::bytes(picture).file_name("photo.png"))
            .text("params", params.to_string());
        let call = self.http.post(format!("{}/jobs", self.base)).multipart(form);
        let job: Value = call.send().await.expect("an answer").json().await.expect("JSON");
        self.finished(job["id"].as_str().expect("an id")).await
    }

    /// The same, made again.
    pub(crate) async fn submit_anew(&self, picture: Vec<u8>, params: &Value) -> Value {
        let form = Form::new()
            .part("image", Part::bytes(picture).file_name("photo.png"))
            .text("params", params.to_string());
        let call = self.http.post(format!("{}/jobs", self.base)).multipart(form);
        let call = call.header("Cache-Control", "no-cache");
        let job: Value = call.send().await.expect("an answer").json().await.expect("JSON");
        self.finished(job["id"].as_str().expect("an id")).await
    }

    /// The statement about a job's result.
    pub(crate) async fn statement(&self, id: &str) -> Bytes {
        let response = self
            .http
            .get(format!("{}/jobs/{id}/statement", self.base))
            .send()
            .await;
        response.expect("an answer").bytes().await.expect("a body")
    }

    /// Submits one picture with these parameters, for TRELLIS, and returns the job's id.
    pub(crate) async fn for_trellis(&self, picture: Vec<u8>, params: &Value) -> String {
        let (status, job) = self.submit_for("trellis", picture, params).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{job}");
        job["id"].as_str().expect("an id").to_owned()
    }

    /// Submits one picture with these parameters, for that backend; the status and what was said.
    pub(crate) async fn submit_for(
        &self,
        backend: &'static str,
        picture: Vec<u8>,
        params: &Value,
    ) -> (StatusCode, Value) {
        let form = Form::new()
            .part("image", Part::bytes(picture).file_name("photo.png"))
            .text("backend", backend)
            .text("params", params.to_string());
        let call = self.http.post(format!("{}/jobs", self.base)).multipart(form);
        let response = call
            .header("Cache-Control", "no-cache")
            .send()
            .await
            .expect("an answer");
        (response.status(), response.json().await.expect("JSON"))
    }

    /// What stands at a path below `/v1`, whatever the status.
    pub(crate) async fn look(&self, path: &str) -> Value {
        let response = self.http.get(format!("{}/{path}", self.base)).send().await;
        response.expect("an answer").json().await.expect("JSON")
    }

    /// Waits until what stands at a path is as wanted.
    pub(crate) async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        loop {
            let seen = self.look(path).await;
            if wanted(&seen) {
                return seen;
            }
            assert!(std::time::Instant::now() < deadline, "it stays {seen}");
            tokio::task::yield_now().await;
        }
    }

    /// Asks for an export; the status and what was said.
    pub(crate) async fn export(&self, id: &str, wish: &Value) -> (u16, Value) {
        let call = self
            .http
            .post(format!("{}/jobs/{id}/exports", self.base))
            .json(wish);
        let answer = call.send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    /// Cancels a job.
    pub(crate) async fn cancel(&self, id: &str) {
        let call = self.http.delete(format!("{}/jobs/{id}", self.base));
        assert!(call.send().await.expect("an answer").status().is_success());
    }

    /// Cancels or deletes a job, as it stands. `Err`: no answer, so nobody knows.
    pub(crate) async fn delete(&self, id: &str) -> reqwest::Result<StatusCode> {
        let call = self.http.delete(format!("{}/jobs/{id}", self.base));
        Ok(call.send().await?.status())
    }

    /// Whether the server has gone.
    pub(crate) async fn is_dead(&self) -> bool {
        let live = self.http.get(format!("{}/health/live", self.base)).send().await;
        live.is_err()
    }

    /// Downloads a job's first file while anything may happen to job and server. `None`: there is none, or it did not
    /// come to its end; else whether it is what the job lists.
    pub(crate) async fn download(&self, id: &str) -> Option<bool> {
        let job = self
            .http
            .get(format!("{}/jobs/{id}", self.base))
            .send()
            .await
            .ok()?;
        let job: Value = job.json().await.ok()?;
        let artifact = &job["artifacts"][0];
        let name = artifact["name"].as_str()?;
        let call = self.http.get(format!("{}/jobs/{id}/artifacts/{name}", self.base));
        let response = call.send().await.ok()?;
        if response.status() != StatusCode::OK {
            return None;
        }
        let bytes = response.bytes().await.ok()?;
        Some(artifact["sha256"] == Sha256::of(&bytes).to_string())
    }

    /// One job.
    pub(crate) async fn job(&self, id: &str) -> Value {
        let response = self
            .http
            .get(format!("{}/jobs/{id}", self.base))
            .send()
            .await
            .expect("an answer");
        assert_eq!(response.status(), StatusCode::OK, "job {id}");
        response.json().await.expect("JSON")
    }

    /// Waits for the end of a job: its event stream ends with it.
    pub(crate) async fn finished(&self, id: &str) -> Value {
        let events = self
            .http
            .get(format!("{}/jobs/{id}/events", self.base))
            .send()
            .await
            .expect("an answer");
        events.bytes().await.expect("a stream to its end");
        self.job(id).await
    }

    /// Waits until that attempt of a job has begun.
    pub(crate) async fn running(&self, id: &str, attempt: u32) {
        let url = format!("{}/jobs/{id}/events", self.base);
        let mut events = self.http.get(url).send().await.expect("an answer");
        let mut seen = String::new();
        let begun = format!(r#""state":"running","attempt":{attempt}"#);
        while !seen.contains(&begun) {
            let part = events
                .chunk()
                .await
                .expect("a stream")
                .expect("the job is not over before that");
            seen.push_str(&String::from_utf8_lossy(&part));
        }
    }

    /// A file of a job.
    pub(crate) async fn artifact(&self, id: &str, name: &str) -> Bytes {
        let call = self.http.get(format!("{}/jobs/{id}/artifacts/{name}", self.base));
        let response = call.send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK, "{name} of job {id}");
        response.bytes().await.expect("a body")
    }

    /// What is wrong with the files of a succeeded job: nothing, where each has the listed size and digest
    /// and is whole.
    pub(crate) async fn damage(&self, job: &Value) -> Option<String> {
        let id = job["id"].as_str().expect("an id");
        let artifacts = job["artifacts"].as_array().expect("a list");
        if artifacts.is_empty() {
            return Some(format!("job {id} has no file"));
        }
        for artifact in artifacts {
            let name = artifact["name"].as_str().expect("a name");
            let bytes = self.artifact(id, name).await;
            let digest = Sha256::of(&bytes).to_string();
            if artifact["sha256"] != digest || artifact["size_bytes"] != bytes.len() {
                return Some(format!("{name} of job {id} differs from its digest"));
            }
            if artifact["format"] == "glb" && !is_glb(&bytes) {
                return Some(format!("{name} of job {id} is not a whole GLB"));
            }
        }
        None
    }
}

/// Whether the bytes are one whole GLB: its header, its length, a JSON chunk that parses, chunks to the end
/// (glTF 2.0, section 4.4).
pub(crate) fn is_glb(bytes: &[u8]) -> bool {
    let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize);
    let whole = || {
        let header = bytes.starts_with(b"glTF") && word(4)? == 2 && word(8)? == bytes.len();
        let json = bytes.get(20..20 + word(12)?)?;
        let document: Value = serde_json::from_slice(json).ok()?;
        let mut at = 12;
        while at < bytes.len() {
            at += 8 + word(at)?;
        }
        Some(header && at == bytes.len() && document["asset"]["version"] == "2.0")
    };
    whole().unwrap_or(false)
}
