//! Why a download did not succeed. Nothing half-written is ever in place of a file.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use trellis_models::ReadError;
use trellis_models::dinov3::Dinov3Error;

trellis_core::explained! {
    /// Why a download failed.
    #[derive(Debug, thiserror::Error)]
    #[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
    pub enum FetchError {
        #[error("`HF_HUB_OFFLINE` is set, so nothing is downloaded")]
        Offline = "offline", "unset `HF_HUB_OFFLINE`, or use what `trellis model list` shows";
        #[error("`{text}` is not an http or https address")]
        BadEndpoint { text: String } = "bad_endpoint", "give an address such as `https://huggingface.co`";
        #[error("the HTTP client cannot be set up")]
        Client { #[source] source: reqwest::Error } = "client",
            "check the proxy variables and the system's certificates";
        #[error("`{place}` cannot be reached")]
        Unreachable { place: String, #[source] source: reqwest::Error } = "unreachable", CHECK_NETWORK;
        #[error("`{place}` kept dropping the connection")]
        BrokenOff { place: String } = "unreachable", CHECK_NETWORK;
        #[error("`{place}` is private, gated or does not exist: the hub answered {status}")]
        Refused { place: String, status: u16, with_token: bool } = "refused", if *with_token {
            "the token is not allowed to read it: accept the model's conditions at the hub, or check the name's spelling"
        } else {
            "check the name's spelling; if it is private or gated, set `HF_TOKEN`"
        };
        #[error("`{place}` does not exist")]
        NotFound { place: String } = "not_found", "check the spelling of repository, revision and file";
        #[error("the hub limits requests to `{place}`{}", asks_for(*after))]
        RateLimited { place: String, after: Option<Duration> } = "rate_limited",
            "run the same command later: it resumes; with `HF_TOKEN` set the hub allows more";
        #[error("the hub failed on `{place}` with status {status}")]
        ServerFault { place: String, status: u16 } = "server_fault",
            "run the same command later: it resumes; `--endpoint` names a mirror";
        #[error("`{place}` answered with {media_type}, which is not a hub's answer")]
        NotAHub { place: String, media_type: String } = "not_a_hub", NAME_A_HUB;
        #[error("the hub's answer for `{place}` cannot be understood")]
        Malformed { place: String, #[source] source: serde_json::Error } = "malformed", NAME_A_HUB;
        #[error("the hub lists the file name {name:?}, which is outside the folder")]
        UnsafeName { name: String } = "unsafe_name", "do not use this hub or mirror";
        #[error("`{repo}` has no pipeline.json, so it is not a TRELLIS model")]
        NoPipeline { repo: String } = "no_pipeline",
            "name a TRELLIS model, such as `microsoft/TRELLIS-image-large`";
        #[error("the pipeline.json of `{repo}` cannot be used")]
        Pipeline { repo: String, #[source] source: ReadError } = "pipeline_unreadable",
            "name another revision with `--revision`";

        #[error("`{file}` has {found} bytes at the hub; {expected} were listed")]
        WrongSize { file: String, found: u64, expected: u64 } = "wrong_size", NOTHING_PUT;
        #[error("what was received as `{file}` has the digest {found}; {expected} was listed")]
        WrongDigest { file: String, found: String, expected: String } = "wrong_digest", NOTHING_PUT;
        #[error("TRELLIS.2's folder is put together of several repositories, so `{repo}` cannot be in the hub cache")]
        FolderNeeded { repo: String } = "folder_needed", "name a folder of its own with `--to`";
        #[error("DINOv3 cannot be made of what was fetched")]
        Encoder { #[source] source: Dinov3Error } = "encoder", source.advice();
        #[error("the archive of DINOv2's code cannot be unpacked")]
        Archive { #[source] source: io::Error } = "archive", NOTHING_PUT;

        #[error("the disk of `{}` is full: {needed} bytes are needed, {available} are free", path.display())]
        DiskFull { path: PathBuf, needed: u64, available: u64 } = "disk_full",
            "free space or name another folder with `--to`, then run the same command: it resumes";
        #[error("`{}` cannot be written", path.display())]
        Write { path: PathBuf, #[source] source: io::Error } = "write", "make the folder writable for this user";
        #[error("another program is fetching `{}` right now", path.display())]
        Busy { path: PathBuf } = "busy", "wait for it, or stop it";
    }
}

const CHECK_NETWORK: &str = "check the network and the proxy variables, then run the same command: it resumes; `--endpoint` names a mirror";
const NAME_A_HUB: &str =
    "`--endpoint` and `HF_ENDPOINT` must name a hub; a sign-in page of the network answers so too";
const NOTHING_PUT: &str = "nothing was put in place: run the same command again, and use another `--endpoint` if the error persists";

fn asks_for(after: Option<Duration>) -> String {
    after.map_or_else(String::new, |after| {
        let seconds = trellis_core::counted(after.as_secs(), "second", "seconds");
        format!(" and asks to wait {seconds}")
    })
}
