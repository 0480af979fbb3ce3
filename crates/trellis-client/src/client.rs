//! The calls of the server's v1 interface, each made once.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::multipart::{Form, Part};
use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, RequestBuilder, Response, StatusCode, Url};
use serde::{Deserialize, Serialize};
use trellis_core::{
    AskedBackend, AssetName, Format, Job, JobId, JobState, ParamsPatch, Priority, Secret, TextureFormat,
    WorkerCommand, WorkerStatus, plain_line,
};

use crate::answer::{bytes, json, problem, server};
use crate::error::ClientError;
use crate::limits::{ENTRIES, NAME, SENTENCE};
use crate::plain::{plain_job, plain_workers};
use crate::status::{ServerStatus, plain_status};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest silence: events are at most half a minute apart, because the server sends comments.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// A job to be submitted.
#[derive(Debug, Clone, Copy)]
pub struct Submission<'a> {
    /// The encoded pictures, at least one; several are views of one object.
    pub pictures: &'a [Bytes],
    /// The encoded mesh that is to be textured as they show it.
    pub mesh: Option<&'a Bytes>,
    /// What the mesh is called.
    pub mesh_name: Option<&'a AssetName>,
    /// What the object is called inside its files.
    pub name: Option<&'a AssetName>,
    /// What is asked for.
    pub params: &'a ParamsPatch,
    /// Which backend is to work.
    pub backend: AskedBackend,
    /// How urgent it is among the jobs of the same key.
    pub priority: Priority,
    /// Whether the server must work even where it has the result of an earlier job.
    pub no_cache: bool,
}

/// What is to be made of an earlier job's GLB; what is absent takes the server's default.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Export {
    /// Which file.
    pub format: Format,
    /// Side of the texture in pixels: of a GLB that is decoded again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub texture_size: Option<u32>,
    /// How it holds its textures, of TRELLIS.2: likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub texture_format: Option<TextureFormat>,
    /// Share of the triangles to remove: likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mesh_simplify: Option<f64>,
    /// Most triangles, of TRELLIS.2: likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimation_target: Option<u32>,
    /// Whether the surface is rebuilt before its triangles are reduced, of TRELLIS.2: likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remesh: Option<bool>,
    /// Whether the mesh gets a texture: likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub texture: Option<bool>,
    /// Of voxels: how many along the longest side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voxel_resolution: Option<u32>,
    /// Of an STL: the longest side in millimetres.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stl_size_mm: Option<f64>,
    /// How urgent it is among the jobs of the same key; absent: normal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
}

/// What a server says of itself (`GET /v1/version`), as far as clients use it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ServerInfo {
    /// Its backends, the best first.
    pub backends: Vec<BackendInfo>,
}

/// One of a server's backends.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BackendInfo {
    /// Its name.
    pub name: String,
    /// What a person should know of its results, one phrase.
    pub description: String,
}

/// The answer to `GET /v1/workers`.
#[derive(Debug, Deserialize)]
struct Workers {
    workers: Vec<WorkerStatus>,
}

/// The answer to `GET /v1/jobs`.
#[derive(Debug, Deserialize)]
struct Jobs {
    jobs: Vec<Job>,
}

/// A server's address and connections to it.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    address: String,
}

impl Client {
    /// A client for the server at `address`, `http://` or `https://`. `key` is sent with every call.
    ///
    /// # Panics
    ///
    /// Never: a secret is visible ASCII, as a header's value must be.
    pub fn new(address: &str, key: Option<&Secret>) -> Result<Self, ClientError> {
        let mut builder = builder();
        if address.starts_with("http://") {
            // Otherwise a machine without any root certificates could not even talk to its own server.
            builder = builder.tls_certs_only([]);
        }
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            let value = HeaderValue::try_from(format!("Bearer {}", key.reveal()));
            let mut value = value.expect("a secret is visible ASCII");
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        let http = builder.default_headers(headers).build()?;
        Ok(Self {
            http,
            address: address.trim_end_matches('/').to_owned(),
        })
    }

    /// Its address, without a slash at the end.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Asks what the server has, which also tells whether there is one.
    pub async fn info(&self) -> Result<ServerInfo, ClientError> {
        json(accepted(self.get("version")).await?).await.map(plain_info)
    }

    /// Whether the server knows this client's key, where it needs one.
    pub async fn check_access(&self) -> Result<(), ClientError> {
        // Every key may see them, whatever its scopes.
        accepted(self.get("workers")).await.map(drop)
    }

    /// Submits a job under an idempotency key.
    pub(crate) async fn submit_once(
        &self,
        submission: &Submission<'_>,
        key: &str,
    ) -> Result<Job, ClientError> {
        let params = serde_json::to_string(submission.params).expect("parameters are plain values");
        // Names as they are: the server reads no other form of those that are not ASCII.
        let form = Form::new().percent_encode_noop();
        let mut form = form
            .text("params", params)
            .text("backend", submission.backend.name());
        // Servers of earlier versions refuse what they do not know.
        if submission.priority != Priority::Normal {
            form = form.text("priority", submission.priority.name());
        }
        for (index, picture) in submission.pictures.iter().enumerate() {
            let part = Part::stream_with_length(picture.clone(), picture.len() as u64);
            // The server names the object after the first. An ending is taken off, whichever it is.
            let part = match (index, submission.name) {
                (0, Some(name)) => part.file_name(format!("{name}.picture")),
                (0, None) => part,
                _ => part.file_name(format!("picture-{index}")),
            };
            form = form.part("image", part);
        }
        if let Some(mesh) = submission.mesh {
            let part = Part::stream_with_length(mesh.clone(), mesh.len() as u64);
            let part = match submission.mesh_name {
                Some(name) => part.file_name(format!("{name}.mesh")),
                None => part,
            };
            form = form.part("mesh", part);
        }
        let mut call = self.http.post(self.url("jobs")).header("Idempotency-Key", key);
        if submission.no_cache {
            call = call.header(header::CACHE_CONTROL, "no-cache");
        }
        plain_job(json(accepted(call.multipart(form)).await?).await?)
    }

    /// Has a file made of an earlier job's GLB, by a job of its own, under an idempotency key.
    pub(crate) async fn export_once(
        &self,
        of: JobId,
        export: &Export,
        key: &str,
    ) -> Result<Job, ClientError> {
        let body = serde_json::to_vec(export).expect("plain values");
        let call = self
            .http
            .post(self.url(&format!("jobs/{of}/exports")))
            .header("Idempotency-Key", key)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body);
        plain_job(json(accepted(call).await?).await?)
    }

    /// One job.
    pub async fn job(&self, id: JobId) -> Result<Job, ClientError> {
        job_in(accepted(self.get(&format!("jobs/{id}"))).await?, id).await
    }

    /// The stream of a job's events after `last_seen`.
    pub(crate) async fn events(&self, id: JobId, last_seen: u64) -> Result<Response, ClientError> {
        let mut call = self
            .get(&format!("jobs/{id}/events"))
            .header(header::ACCEPT, "text/event-stream");
        if last_seen > 0 {
            call = call.header("Last-Event-ID", last_seen);
        }
        accepted(call).await
    }

    /// The answer with a file's bytes, whatever they are.
    pub(crate) async fn artifact(&self, id: JobId, name: &str) -> Result<Response, ClientError> {
        self.wherever(&format!("jobs/{id}/artifacts/{name}")).await
    }

    /// A file, which the server may keep in another place and say where. The key is not sent there, and whoever reads the file
    /// compares it with the digest that the server listed.
    async fn wherever(&self, path: &str) -> Result<Response, ClientError> {
        let response = self.get(path).send().await?;
        let to = response.headers().get(header::LOCATION);
        let to = to.and_then(|to| to.to_str().ok()?.parse::<Url>().ok());
        let plain_from_secret = |to: &Url| self.address.starts_with("https://") && to.scheme() != "https";
        let to = to.filter(|to| to.has_host() && !plain_from_secret(to));
        match to.filter(|_| response.status() == StatusCode::TEMPORARY_REDIRECT) {
            Some(to) => accepted(builder().build()?.get(to)).await,
            None => good(response).await,
        }
    }

    /// The statement about a job's result, whatever it is, of at most so many bytes.
    pub(crate) async fn statement_once(&self, id: JobId, most: u64) -> Result<Bytes, ClientError> {
        bytes(self.wherever(&format!("jobs/{id}/statement")).await?, most).await
    }

    /// Cancels a job. One that has ended stays as it is: what comes back says how it ended.
    pub async fn cancel(&self, id: JobId) -> Result<Job, ClientError> {
        let call = self.http.post(self.url(&format!("jobs/{id}/cancel")));
        job_in(accepted(call).await?, id).await
    }

    /// The newest jobs in this state that this client sees, at most `limit` (1 to 100), newest first.
    pub async fn jobs(&self, state: JobState, limit: u32) -> Result<Vec<Job>, ClientError> {
        let path = format!("jobs?state={}&limit={limit}", state.name());
        let list: Jobs = json(accepted(self.get(&path)).await?).await?;
        list.jobs.into_iter().map(plain_job).collect()
    }

    /// What the server does now.
    pub async fn status(&self) -> Result<ServerStatus, ClientError> {
        json(accepted(self.get("status")).await?).await.map(plain_status)
    }

    /// The server's workers.
    pub async fn workers(&self) -> Result<Vec<WorkerStatus>, ClientError> {
        let list: Workers = json(accepted(self.get("workers")).await?).await?;
        Ok(plain_workers(list.workers))
    }

    /// Has a worker do something.
    pub async fn command_worker(&self, name: &str, command: WorkerCommand) -> Result<(), ClientError> {
        let mut url = self.parsed("workers")?;
        if let Ok(mut path) = url.path_segments_mut() {
            // Escaped, so that no name reaches another route.
            path.push(name).push(command.name());
        }
        accepted(self.http.post(url)).await.map(drop)
    }

    fn parsed(&self, path: &str) -> Result<Url, ClientError> {
        let address = self.url(path);
        Url::parse(&address).map_err(|error| ClientError::InvalidAddress {
            reason: error.to_string(),
            address,
        })
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(self.url(path))
    }

    fn url(&self, path: &str) -> String {
        format!("{}/v1/{path}", self.address)
    }
}

/// The job that an answer is, which must be that one.
async fn job_in(answer: Response, id: JobId) -> Result<Job, ClientError> {
    let server = Some(server(&answer));
    let job = plain_job(json(answer).await?)?;
    if job.id == id {
        return Ok(job);
    }
    let reason = "it is about another job".to_owned();
    Err(ClientError::NotUnderstood { server, reason })
}

fn plain_info(mut info: ServerInfo) -> ServerInfo {
    info.backends.truncate(ENTRIES);
    for backend in &mut info.backends {
        backend.name = plain_line(&backend.name, NAME);
        backend.description = plain_line(&backend.description, SENTENCE);
    }
    info
}

/// What all clients have in common.
fn builder() -> ClientBuilder {
    // Chosen once for the process; a second call finds it there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .user_agent(concat!("trellis/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        // Pictures and the key go to the server that was named, and to no other.
        .redirect(Policy::none())
}

/// Sends a call and returns only a good answer.
async fn accepted(call: RequestBuilder) -> Result<Response, ClientError> {
    good(call.send().await?).await
}

async fn good(response: Response) -> Result<Response, ClientError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let after = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    if status.is_redirection() {
        let to = response.headers().get(header::LOCATION);
        let to = to.and_then(|value| value.to_str().ok()).map(str::to_owned);
        return Err(ClientError::elsewhere(status, to.as_deref()));
    }
    let body = problem(response).await;
    Err(ClientError::of_answer(status, after, &body))
}
