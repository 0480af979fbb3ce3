//! A hub on the loopback: the listing and file routes with ranges, pages and redirects, and faults by script.
//!
//! ```text
//! /api/models/ORG/NAME/revision/REV     the commit
//! /api/models/ORG/NAME/tree/COMMIT      files, `page` at a time, joined by `Link`
//! /ORG/NAME/resolve/COMMIT/PATH         302 to
//! /bytes/ORG/NAME/PATH                  the bytes, with Range
//! ```
#![expect(
    unreachable_pub,
    reason = "included by path into tests, an example and other crates' tests"
)]

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path as Segments, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::StreamExt as _;
use tokio::sync::Notify;
use trellis_core::Sha256Hasher;

/// The commit of every repository here.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What happens to one request for a file's bytes.
#[derive(Debug, Clone)]
#[allow(dead_code, reason = "each user of this file scripts some of them")]
pub enum Fault {
    /// None: this request is served.
    Pass,
    /// This status, with this `Retry-After`.
    Status(u16, Option<&'static str>),
    /// The connection breaks after so many bytes of the answer.
    Cut(usize),
    /// Nothing comes after the headers.
    Stall,
    /// The whole file with 200, whatever range was asked for.
    NoRange,
    /// A page for people.
    Html,
    /// Bytes of the right number but not the right ones.
    WrongBytes,
}

/// A file's content.
#[derive(Debug, Clone)]
pub enum Content {
    /// Kept in memory.
    Bytes(Bytes),
    /// Made as it is sent: 8 bytes little-endian for each position divided by 8, mixed.
    #[allow(dead_code, reason = "only the large transfers use it")]
    Made(u64),
}

/// What a hub has and does.
#[derive(Debug, Default)]
pub struct Script {
    /// Repository → path → content.
    pub files: BTreeMap<String, BTreeMap<String, Content>>,
    /// Faults by path, one a request, in order.
    pub faults: BTreeMap<String, VecDeque<Fault>>,
    /// Faults of the listing routes.
    pub listing_faults: VecDeque<Fault>,
    /// Digests that are listed instead of the true ones.
    pub listed_digests: BTreeMap<String, String>,
    /// Without this token every answer is 401.
    pub token: Option<String>,
    /// `path range` of each request for bytes, and whether it carried a token.
    pub requests: Vec<(String, String, bool)>,
    /// Files a page; 0 for all.
    pub page: usize,
    /// Told of each request for bytes.
    pub asked: Arc<Notify>,
}

/// A running hub.
pub struct StandIn {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it does; may be changed while it runs.
    pub script: Arc<Mutex<Script>>,
}

type Shared = Arc<Mutex<Script>>;

impl StandIn {
    /// Serves on a free port until the runtime ends.
    pub async fn start(script: Script) -> Self {
        let script = Arc::new(Mutex::new(script));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/api/models/{org}/{name}/revision/{revision}", get(revision))
            .route("/api/models/{org}/{name}/tree/{commit}", get(tree))
            .route(
                "/{org}/{name}/resolve/{commit}/{*path}",
                get(resolve).head(resolve),
            )
            .route("/bytes/{org}/{name}/{*path}", get(bytes))
            .with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, script }
    }

    /// Its address as a hub endpoint.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Script {
    /// A hub with one repository: every file of `folder`.
    pub fn with_folder(repo: &str, folder: &Path) -> Self {
        let mut script = Self::default();
        script.add_folder(repo, folder);
        script
    }

    /// Adds a repository with every file of `folder`.
    pub fn add_folder(&mut self, repo: &str, folder: &Path) {
        let files = self.files.entry(repo.to_owned()).or_default();
        collect(folder, "", files);
    }
}

fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Content>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            collect(&path, &format!("{name}/"), files);
        } else {
            files.insert(name, Content::Bytes(std::fs::read(&path).unwrap().into()));
        }
    }
}

impl Content {
    fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Made(size) => *size,
        }
    }

    /// The bytes of `from..to`, at most a MiB at a time.
    fn piece(&self, from: u64, to: u64) -> Bytes {
        let to = to.min(from + (1 << 20));
        match self {
            Self::Bytes(bytes) => bytes.slice(index(from)..index(to)),
            Self::Made(_) => {
                let mut words = Vec::with_capacity(index(to - from) + 16);
                for word in from / 8..=to / 8 {
                    words.extend_from_slice(&mix(word).to_le_bytes());
                }
                let start = index(from % 8);
                Bytes::from(words).slice(start..start + index(to - from))
            }
        }
    }

    /// Its sha256, in hexadecimal.
    pub fn sha256(&self) -> String {
        let mut hash = Sha256Hasher::default();
        let mut at = 0;
        while at < self.size() {
            let piece = self.piece(at, self.size());
            hash.update(&piece);
            at += piece.len() as u64;
        }
        hash.finish().1.to_string()
    }
}

/// Well-mixed bits of a number (the finaliser of MurmurHash3), so that a misplaced block can't go unseen.
fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    bits = (bits ^ (bits >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    bits ^ (bits >> 33)
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

fn refused(script: &Script, headers: &HeaderMap) -> bool {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let wanted = script.token.as_ref().map(|token| format!("Bearer {token}"));
    wanted.is_some() && given != wanted.as_deref()
}

fn status(code: u16, after: Option<&'static str>) -> Response {
    let mut response = StatusCode::from_u16(code).unwrap().into_response();
    if let Some(after) = after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, after.parse().unwrap());
    }
    response
}

fn html() -> Response {
    (
        [(header::CONTENT_TYPE, "text/html; charset=utf-8")],
        "<html>Sign in</html>",
    )
        .into_response()
}

fn listing_fault(script: &mut Script, headers: &HeaderMap) -> Option<Response> {
    if refused(script, headers) {
        return Some(status(401, None));
    }
    match script.listing_faults.pop_front()? {
        Fault::Status(code, after) => Some(status(code, after)),
        _ => Some(html()),
    }
}

async fn revision(
    State(script): State<Shared>,
    Segments((org, name, revision)): Segments<(String, String, String)>,
    headers: HeaderMap,
) -> Response {
    let mut script = script.lock().unwrap();
    if let Some(fault) = listing_fault(&mut script, &headers) {
        return fault;
    }
    let known = script.files.contains_key(&format!("{org}/{name}"));
    // Pinned commits are asked for by their own ids; there is one commit here.
    let is_commit = revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !known || !(revision == "main" || is_commit) {
        return status(404, None);
    }
    axum::Json(serde_json::json!({ "id": format!("{org}/{name}"), "sha": COMMIT })).into_response()
}

async fn tree(
    State(script): State<Shared>,
    Segments((org, name, commit)): Segments<(String, String, String)>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let mut script = script.lock().unwrap();
    if let Some(fault) = listing_fault(&mut script, &headers) {
        return fault;
    }
    let repo = format!("{org}/{name}");
    let Some(files) = script.files.get(&repo).filter(|_| commit == COMMIT) else {
        return status(404, None);
    };
    let from: usize = query.get("cursor").map_or(0, |cursor| cursor.parse().unwrap());
    let page = if script.page == 0 {
        files.len()
    } else {
        script.page
    };
    let entries = files.iter().skip(from).take(page);
    let mut listed: Vec<_> = entries
        .map(|(path, content)| entry(&script, path, content))
        .collect();
    if from == 0 {
        listed.push(serde_json::json!({ "type": "directory", "oid": COMMIT, "size": 0, "path": "ckpts" }));
    }
    let mut response = axum::Json(listed).into_response();
    if from + page < files.len() {
        // Another host, as behind a mirror: only the cursor may be taken from here.
        let cursor = from + page;
        let link = format!("<https://hub.invalid/api/models/{repo}/tree/x?cursor={cursor}>; rel=\"next\"");
        response.headers_mut().insert(header::LINK, link.parse().unwrap());
    }
    response
}

fn entry(script: &Script, path: &str, content: &Content) -> serde_json::Value {
    let size = content.size();
    let listed = script.listed_digests.get(path).cloned();
    if path.ends_with(".safetensors") {
        let oid = listed.unwrap_or_else(|| content.sha256());
        let lfs = serde_json::json!({ "oid": oid, "size": size, "pointerSize": 135 });
        return serde_json::json!({ "type": "file", "oid": COMMIT, "size": size, "path": path, "lfs": lfs });
    }
    let oid = listed.unwrap_or_else(|| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content.piece(0, size)).unwrap();
        trellis_models::hash::git_blob_id(file.path()).unwrap()
    });
    serde_json::json!({ "type": "file", "oid": oid, "size": size, "path": path })
}

async fn resolve(
    State(script): State<Shared>,
    Segments((org, name, commit, path)): Segments<(String, String, String, String)>,
    headers: HeaderMap,
) -> Response {
    if refused(&script.lock().unwrap(), &headers) {
        return status(401, None);
    }
    if commit != COMMIT && commit != "main" {
        return status(404, None);
    }
    let place = format!("/bytes/{org}/{name}/{path}?signature=secret");
    (StatusCode::FOUND, [(header::LOCATION, place)]).into_response()
}

async fn bytes(
    State(script): State<Shared>,
    Segments((org, name, path)): Segments<(String, String, String)>,
    headers: HeaderMap,
) -> Response {
    let range = headers
        .get(header::RANGE)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let (content, fault) = {
        let mut script = script.lock().unwrap();
        let with_token = headers.contains_key(header::AUTHORIZATION);
        script
            .requests
            .push((path.clone(), range.clone().unwrap_or_default(), with_token));
        script.asked.notify_one();
        let content = script
            .files
            .get(&format!("{org}/{name}"))
            .and_then(|files| files.get(&path))
            .cloned();
        (
            content,
            script.faults.get_mut(&path).and_then(VecDeque::pop_front),
        )
    };
    let Some(content) = content else {
        return status(404, None);
    };
    let size = content.size();
    let asked = range
        .as_deref()
        .and_then(parse_range)
        .filter(|_| !matches!(fault, Some(Fault::NoRange)));
    let (from, to) = asked.map_or((0, size), |(from, last)| (from, last.saturating_add(1).min(size)));
    if from > to || (asked.is_some() && from >= size) {
        return status(416, None);
    }
    let body = match fault {
        Some(Fault::Status(code, after)) => return status(code, after),
        Some(Fault::Html) => return html(),
        Some(Fault::Stall) => Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>()),
        Some(Fault::Cut(after)) => {
            let sent = futures::stream::iter([
                Ok(content.piece(from, to.min(from + after as u64))),
                Err(std::io::Error::other("cut by the script")),
            ]);
            Body::from_stream(sent)
        }
        Some(Fault::WrongBytes) => Body::from(vec![0; index(to - from)]),
        Some(Fault::NoRange | Fault::Pass) | None => pieces(content, from, to),
    };
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, (to - from).into());
    if asked.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let value = format!("bytes {from}-{}/{size}", to - 1).parse().unwrap();
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    response
}

fn pieces(content: Content, from: u64, to: u64) -> Body {
    let pieces = futures::stream::unfold(from, move |at| {
        let piece = (at < to).then(|| content.piece(at, to));
        async move { piece.map(|piece| (Ok::<_, std::io::Error>(piece.clone()), at + piece.len() as u64)) }
    });
    Body::from_stream(pieces.boxed())
}

fn parse_range(text: &str) -> Option<(u64, u64)> {
    let (from, to) = text.strip_prefix("bytes=")?.split_once('-')?;
    Some((from.parse().ok()?, to.parse().unwrap_or(u64::MAX - 1)))
}
