//! Why a download did not succeed. Nothing half-written is ever in place of a file.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use trellis_models::ReadError;

/// Why a download failed.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum FetchError {
    #[error("`HF_HUB_OFFLINE` is set, so nothing is downloaded")]
    Offline,
    #[error("`{text}` is not an http or https address")]
    BadEndpoint { text: String },
    #[error("the HTTP client cannot be set up")]
    Client {
        #[source]
        source: reqwest::Error,
    },
    #[error("`{place}` cannot be reached")]
    Unreachable {
        place: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("`{place}` kept dropping the connection")]
    BrokenOff { place: String },
    #[error("`{place}` is private, gated or does not exist: the hub answered {status}")]
    Refused {
        place: String,
        status: u16,
        with_token: bool,
    },
    #[error("`{place}` does not exist")]
    NotFound { place: String },
    #[error("the hub limits requests to `{place}`{}", asks_for(*after))]
    RateLimited { place: String, after: Option<Duration> },
    #[error("the hub failed on `{place}` with status {status}")]
    ServerFault { place: String, status: u16 },
    #[error("`{place}` answered with {media_type}, which is not a hub's answer")]
    NotAHub { place: String, media_type: String },
    #[error("the hub's answer for `{place}` cannot be understood")]
    Malformed {
        place: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("the hub lists the file name {name:?}, which is outside the folder")]
    UnsafeName { name: String },
    #[error("`{repo}` has no pipeline.json, so it is not a TRELLIS model")]
    NoPipeline { repo: String },
    #[error("the pipeline.json of `{repo}` cannot be used")]
    Pipeline {
        repo: String,
        #[source]
        source: ReadError,
    },

    #[error("`{file}` has {found} bytes at the hub; {expected} were listed")]
    WrongSize { file: String, found: u64, expected: u64 },
    #[error("what was received as `{file}` has the digest {found}; {expected} was listed")]
    WrongDigest {
        file: String,
        found: String,
        expected: String,
    },
    #[error("the archive of DINOv2's code cannot be unpacked")]
    Archive {
        #[source]
        source: io::Error,
    },

    #[error("the disk of `{}` is full: {needed} bytes are needed, {available} are free", path.display())]
    DiskFull {
        path: PathBuf,
        needed: u64,
        available: u64,
    },
    #[error("`{}` cannot be written", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("another program is fetching `{}` right now", path.display())]
    Busy { path: PathBuf },
}

fn asks_for(after: Option<Duration>) -> String {
    after.map_or_else(String::new, |after| {
        let seconds = trellis_core::counted(after.as_secs(), "second", "seconds");
        format!(" and asks to wait {seconds}")
    })
}

impl FetchError {
    /// Stable name.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::BadEndpoint { .. } => "bad_endpoint",
            Self::Client { .. } => "client",
            Self::Unreachable { .. } | Self::BrokenOff { .. } => "unreachable",
            Self::Refused { .. } => "refused",
            Self::NotFound { .. } => "not_found",
            Self::RateLimited { .. } => "rate_limited",
            Self::ServerFault { .. } => "server_fault",
            Self::NotAHub { .. } => "not_a_hub",
            Self::Malformed { .. } => "malformed",
            Self::UnsafeName { .. } => "unsafe_name",
            Self::NoPipeline { .. } => "no_pipeline",
            Self::Pipeline { .. } => "pipeline_unreadable",
            Self::WrongSize { .. } => "wrong_size",
            Self::WrongDigest { .. } => "wrong_digest",
            Self::Archive { .. } => "archive",
            Self::DiskFull { .. } => "disk_full",
            Self::Write { .. } => "write",
            Self::Busy { .. } => "busy",
        }
    }

    /// What to do, one sentence.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Offline => "unset `HF_HUB_OFFLINE`, or use what `trellis model list` shows",
            Self::BadEndpoint { .. } => "give an address such as `https://huggingface.co`",
            Self::Client { .. } => "check the proxy variables and the system's certificates",
            Self::Unreachable { .. } | Self::BrokenOff { .. } => {
                "check the network and the proxy variables, then run the same command: it resumes; `--endpoint` names a mirror"
            }
            Self::Refused { with_token: true, .. } => {
                "the token is not allowed to read it: accept the model's conditions at the hub, or check the name's spelling"
            }
            Self::Refused { .. } => "check the name's spelling; if it is private or gated, set `HF_TOKEN`",
            Self::NotFound { .. } => "check the spelling of repository, revision and file",
            Self::RateLimited { .. } => {
                "run the same command later: it resumes; with `HF_TOKEN` set the hub allows more"
            }
            Self::ServerFault { .. } => "run the same command later: it resumes; `--endpoint` names a mirror",
            Self::NotAHub { .. } | Self::Malformed { .. } => {
                "`--endpoint` and `HF_ENDPOINT` must name a hub; a sign-in page of the network answers so too"
            }
            Self::UnsafeName { .. } => "do not use this hub or mirror",
            Self::NoPipeline { .. } => "name a TRELLIS model, such as `microsoft/TRELLIS-image-large`",
            Self::Pipeline { .. } => "name another revision with `--revision`",
            Self::WrongSize { .. } | Self::WrongDigest { .. } | Self::Archive { .. } => {
                "nothing was put in place: run the same command again, and use another `--endpoint` if the error persists"
            }
            Self::DiskFull { .. } => {
                "free space or name another folder with `--to`, then run the same command: it resumes"
            }
            Self::Write { .. } => "make the folder writable for this user",
            Self::Busy { .. } => "wait for it, or stop it",
        }
    }
}
