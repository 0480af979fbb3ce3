//! The table of settings: for each its key in the file, its flag, its variable, its values, its meaning.
//!
//! A new setting is a row here and a field in `values.rs`; a test compares the two.

use super::kind::Kind;
use crate::env;

/// One setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its place in the settings file, `table.key` or `key`.
    pub(crate) key: &'static str,
    /// The flag that sets it, without dashes.
    pub(crate) flag: &'static str,
    /// The environment variable that sets it.
    pub(crate) variable: &'static str,
    /// What values it takes.
    pub(crate) kind: Kind,
    /// Its default, written as a flag or variable would give it.
    pub(crate) default: &'static str,
    /// What it does, one or two sentences.
    pub(crate) about: &'static str,
}

/// The key whose default depends on the environment (`load.rs`).
pub(crate) const DATA_DIR: &str = "data_dir";

/// The key whose default is what a service manager hands over (`load.rs`).
pub(crate) const KEYS_FILE: &str = "auth.keys_file";

/// The key of the log level, which some commands set lower by default.
pub(crate) const LOG_LEVEL: &str = "log.level";

const ANY_COUNT: Kind = whole(1, u32::MAX as u64);
const COUNT_OR_NONE: Kind = whole(0, u32::MAX as u64);

const fn whole(min: u64, max: u64) -> Kind {
    Kind::Integer { min, max }
}

/// Rows of `key, flag, variable, values, default => meaning`.
macro_rules! settings {
    ($($key:expr, $flag:expr, $variable:expr, $kind:expr, $default:expr => $about:expr;)+) => {
        /// Every setting, top-level ones first as TOML wants them.
        pub(crate) const SETTINGS: &[Setting] = &[$(Setting {
            key: $key,
            flag: $flag,
            variable: $variable,
            kind: $kind,
            default: $default,
            about: $about,
        }),+];
    };
}

settings! {
    DATA_DIR, "data-dir", "TRELLIS_DATA_DIR", Kind::Path, "" =>
        "Folder of the job database, pictures and assets. Default: `$STATE_DIRECTORY`, else \
         `$XDG_DATA_HOME/trellis-server`, else `~/.local/share/trellis-server`";
    "backend", "backend", "TRELLIS_BACKEND", Kind::Backend, "auto" =>
        "Which backend does the work: `auto` uses every one available, the best first; any other name \
         uses only that one";
    "default_model", "default-model", "TRELLIS_DEFAULT_MODEL",
        Kind::Choice(&["auto", "trellis-image-large", "trellis2-4b"]), "auto" =>
        "The model of jobs that name none: `auto` is `trellis-image-large` unless only the other one runs here";
    "drain_seconds", "drain-seconds", "TRELLIS_DRAIN_SECONDS", whole(0, 86_400), "30" =>
        "How long running jobs may finish after SIGTERM; then they go back to the queue";
    "role", "role", "TRELLIS_ROLE", Kind::Choice(&["all", "api", "worker"]), "all" =>
        "What a server that shares its job store with others does: `api` takes requests, `worker` works on jobs and \
         does not listen for requests, `all` does both";
    "store.url", "store", "TRELLIS_STORE_URL", Kind::Store, "" =>
        "PostgreSQL database for the jobs, shared by servers of several machines, such as \
         `postgres://trellis@db.example/trellis`; separate several hosts with commas. Empty: a database of its own in \
         the data folder";
    "store.password_file", "store-password-file", "TRELLIS_STORE_PASSWORD_FILE", Kind::FileOrNone, "" =>
        "File with the password for the database as its only line, which no other user may read. Without one PostgreSQL's \
         own password file is used, `$PGPASSFILE` or `~/.pgpass`; `PGPASSWORD` is not read";
    "store.blobs", "blobs", "TRELLIS_STORE_BLOBS", Kind::Blobs, "" =>
        "Place of the pictures and results of a shared job store, which all its servers reach: a folder such as a mount, or \
         S3-compatible storage such as `s3://studio/trellis?endpoint=https://s3.example`";
    "blobs.credentials_file", "blobs-credentials-file", "TRELLIS_BLOBS_CREDENTIALS_FILE", Kind::FileOrNone, "" =>
        "File with the access key for S3-compatible storage, in the form of `~/.aws/credentials`, which no other user may \
         read. Without one `AWS_ACCESS_KEY_ID` and AWS's other variables are used";
    "blobs.redirect", "blobs-redirect", "TRELLIS_BLOBS_REDIRECT", Kind::Switch, "false" =>
        "Send clients that download a file to S3-compatible storage, with an address that is valid for 5 minutes; they must \
         reach it. Otherwise the file comes through the server";
    "listen.host", "host", "TRELLIS_LISTEN_HOST", Kind::Address, "127.0.0.1" =>
        "Address to listen on, or `localhost`; `0.0.0.0` or `::` opens the server to the network, for \
         which it needs `auth.keys_file`";
    "listen.port", "port", "TRELLIS_LISTEN_PORT", whole(0, 65_535), "8000" =>
        "Port to listen on; 0 takes any free one, which is then printed";
    "listen.socket", "socket", "TRELLIS_LISTEN_SOCKET", Kind::FileOrNone, "" =>
        "Unix socket to listen on instead of host and port, for this user and its group; whoever connects counts \
         as a trusted proxy";
    "listen.allowed_origins", "allowed-origins", "TRELLIS_LISTEN_ALLOWED_ORIGINS", Kind::Origins, "" =>
        "Web origins whose pages may call the server, such as `https://studio.example`";
    "listen.allowed_hosts", "allowed-hosts", "TRELLIS_LISTEN_ALLOWED_HOSTS", Kind::Hosts, "" =>
        "Host names to accept besides `localhost` and addresses, such as `studio.example` behind a proxy; \
         `*` accepts every name";
    "listen.trusted_proxies", "trusted-proxies", "TRELLIS_LISTEN_TRUSTED_PROXIES", Kind::Proxies, "" =>
        "Addresses and networks of proxies whose `X-Forwarded-For` says where a request comes from, such \
         as `127.0.0.1`; clients that send wrong keys are slowed down by that address";
    "tls.certificate", "tls-certificate", "TRELLIS_TLS_CERTIFICATE", Kind::FileOrNone, "" =>
        "PEM file of the server's certificate and those of its authorities: HTTPS instead of HTTP. Read again when \
         it changes";
    "tls.key", "tls-key", "TRELLIS_TLS_KEY", Kind::FileOrNone, "" =>
        "PEM file of the certificate's private key, which no other user may read";
    KEYS_FILE, "auth-keys-file", "TRELLIS_AUTH_KEYS_FILE", Kind::FileOrNone, "" =>
        "File of the API keys, `NAME SECRET` or `NAME sha256:HEX` a line; every request for jobs and \
         workers then needs one. Default: `$CREDENTIALS_DIRECTORY/api-keys` if it exists, else \
         anyone who can reach the server may use it";
    "auth.insecure_no_auth", "insecure-no-auth", "TRELLIS_AUTH_INSECURE_NO_AUTH", Kind::Switch, "false" =>
        "Start without keys on an address that other machines reach: anyone there may then use the \
         server, and read and delete all jobs";
    "compat.crossworld", "compat-crossworld", "TRELLIS_COMPAT_CROSSWORLD", Kind::Switch, "false" =>
        "Answer the client of k0sti/crossworld too, at `/health` and `/generate`; it looks for port 3642";
    "compat.projectorz", "compat-projectorz", "TRELLIS_COMPAT_PROJECTORZ", Kind::Switch, "false" =>
        "Answer StableProjectorz too, as the server of trellis-stable-projectorz does, on a listener of its own";
    "compat.projectorz_listen", "compat-projectorz-listen", "TRELLIS_COMPAT_PROJECTORZ_LISTEN", Kind::Endpoint,
        "127.0.0.1:7960" =>
        "Address and port for StableProjectorz, which looks for port 7960; nothing listens there without \
         `compat.projectorz`";
    "metrics.public", "metrics-public", "TRELLIS_METRICS_PUBLIC", Kind::Switch, "false" =>
        "Let anyone read the Prometheus metrics at `/metrics` without a key";
    "metrics.listen", "metrics-listen", "TRELLIS_METRICS_LISTEN", Kind::Endpoint, "" =>
        "Address and port of another listener that serves `/metrics` alone and asks for no key, such as \
         `127.0.0.1:8001`; one that other machines reach needs `metrics.public`";
    "webhooks.secret_file", "webhooks-secret-file", "TRELLIS_WEBHOOKS_SECRET_FILE", Kind::FileOrNone, "" =>
        "File of the secrets that webhook messages are signed with, `whsec_BASE64` a line. Without one jobs cannot name \
         a webhook";
    "webhooks.allow", "webhooks-allow", "TRELLIS_WEBHOOKS_ALLOW", Kind::Receivers, "" =>
        "Hosts, addresses and networks that webhooks may be at although they are not public, over plain HTTP too, such as \
         `hooks.internal` or `10.1.0.0/16`";
    LOG_LEVEL, "log-level", "TRELLIS_LOG", Kind::LogFilter, "info" =>
        "What to log: `error`, `warn`, `info`, `debug`, `trace`, or per part such as \
         `info,trellis_runner=debug`";
    "log.format", "log-format", "TRELLIS_LOG_FORMAT", Kind::Choice(&["text", "json"]), "text" =>
        "How log lines are written";
    "limits.body_bytes", "limits-body-bytes", "TRELLIS_LIMITS_BODY_BYTES", whole(1024, 1 << 40), "67108864" =>
        "Largest request body in bytes (64 MiB)";
    "limits.pixels", "limits-pixels", "TRELLIS_LIMITS_PIXELS", whole(1, 1 << 32), "64000000" =>
        "Most pixels of one picture, read from its header before it is decoded";
    "limits.images_per_job", "limits-images-per-job", "TRELLIS_LIMITS_IMAGES_PER_JOB", whole(1, 1024), "16" =>
        "Most pictures of one job";
    "limits.queued_jobs", "limits-queued-jobs", "TRELLIS_LIMITS_QUEUED_JOBS", ANY_COUNT, "1000" =>
        "Most queued jobs; more are rejected with 503 and `Retry-After`";
    "limits.job_seconds", "limits-job-seconds", "TRELLIS_LIMITS_JOB_SECONDS", ANY_COUNT, "900" =>
        "Longest time that one attempt of a job may take";
    "limits.no_server_hours", "limits-no-server-hours", "TRELLIS_LIMITS_NO_SERVER_HOURS", whole(0, 876_000), "168" =>
        "How many hours a job may wait while no server can do it, for lack of its model or a large enough GPU for example; then it \
         fails with `no_server`. An export that TRELLIS decodes also fails after `retention.latent_hours`. 0 waits forever";
    "limits.connections", "limits-connections", "TRELLIS_LIMITS_CONNECTIONS", whole(4, 1_000_000), "1024" =>
        "Most open connections; beyond that, idle ones are closed to make room. Fewer where the limit on open files is low";
    "retention.keep_jobs", "retention-keep-jobs", "TRELLIS_RETENTION_KEEP_JOBS", COUNT_OR_NONE, "1000" =>
        "How many finished jobs to keep, the newest; 0 keeps all. Live jobs are never removed";
    "retention.keep_days", "retention-keep-days", "TRELLIS_RETENTION_KEEP_DAYS", whole(0, 36_500), "30" =>
        "How many days to keep a finished job; 0 keeps all";
    "retention.latent_bytes", "retention-latent-bytes", "TRELLIS_RETENTION_LATENT_BYTES", whole(0, 1 << 50), "1073741824" =>
        "How many bytes of what TRELLIS sampled to keep, newest jobs first (1 GiB; a job has about 1 MB); exports with a \
         different texture or simplification need it. 0 keeps none";
    "retention.latent_hours", "retention-latent-hours", "TRELLIS_RETENTION_LATENT_HOURS", whole(0, 876_000), "24" =>
        "How many hours to keep what TRELLIS sampled for a job; 0 keeps it as long as the job";
    "provenance.statement", "statement", "TRELLIS_STATEMENT", Kind::Switch, "false" =>
        "Make a statement of what made each result: an in-toto JSON file that names its files by their \
         SHA-256. Without a key it is not signed; with one it is always made";
    "provenance.sign_key", "sign-key", "TRELLIS_SIGN_KEY", Kind::FileOrNone, "" =>
        "File with a secret key in Nix's form: a statement of what made each result is then made, \
         signed with it; `nix key generate-secret` makes one";
    "provenance.require_closure", "require-closure", "TRELLIS_PROVENANCE_REQUIRE_CLOSURE", Kind::Closure, "" =>
        "Have TRELLIS's results made only by this Python environment, named by its Nix store path or its NAR hash such as \
         `sha256-…`: servers with a different one leave this server's jobs to those that have it";
    "trellis.model", "model", env::MODEL_PATH, Kind::PathOrNone, "" =>
        "TRELLIS-image-large's model folder, the one with `pipeline.json`; without one that model does not run";
    "trellis.python", "python", env::WORKER_PYTHON, Kind::Program, "python3" =>
        "Python interpreter that has TRELLIS and torch";
    "trellis.gpus", "gpus", "TRELLIS_GPUS", Kind::Gpus, "all" =>
        "Which GPUs get a worker: `all`, or numbers and UUIDs separated by commas; a GPU named twice gets two, which \
         share its memory equally; `unchecked:2` starts two workers without looking for GPUs";
    "trellis.default_quality", "default-quality", "TRELLIS_DEFAULT_QUALITY", Kind::Quality, "balanced" =>
        "How close TRELLIS stays to its own code where a job does not set `quality`: `exact` is that code, `balanced` does \
         the same faster, `draft` is fastest and loses detail (docs/performance.md)";
    "trellis.low_vram", "low-vram", "TRELLIS_LOW_VRAM", Kind::Switch, "false" =>
        "Keep models in main memory and bring each to the GPU for its stage: slower, but a GLB \
         takes 4.5 GiB instead of 8.5 (in the quality `exact` 8.5 instead of 12.3); chosen automatically where nothing else fits";
    "trellis.warm_up", "warm-up", "TRELLIS_WARM_UP", Kind::Switch, "true" =>
        "Run a small picture through TRELLIS before a worker counts as ready";
    "trellis.patience_percent", "patience-percent", "TRELLIS_PATIENCE_PERCENT", whole(1, 10_000), "100" =>
        "How long a stage may go without a step before its worker counts as stuck and the job gets \
         another: 100 is 3 to 10 minutes, depending on the stage";
    "trellis.preview", "preview", "TRELLIS_PREVIEW", Kind::Switch, "true" =>
        "Deliver the embedded preview as `preview.glb` while a job waits for TRELLIS or runs";
    "trellis2.model", "trellis2-model", env::TRELLIS2_MODEL_PATH, Kind::PathOrNone, "" =>
        "TRELLIS.2's model folder, the one with `pipeline.json`; without one there is no TRELLIS.2. `trellis.warm_up`, \
         `trellis.patience_percent` and `trellis.preview` apply to it too";
    "trellis2.python", "trellis2-python", env::TRELLIS2_PYTHON, Kind::Program, "python3" =>
        "Python interpreter that has TRELLIS.2 and torch; the two models need different packages";
    "trellis2.gpus", "trellis2-gpus", "TRELLIS_TRELLIS2_GPUS", Kind::Gpus, "all" =>
        "Which GPUs get a worker of TRELLIS.2, as in `trellis.gpus`; a GPU that also has a worker of TRELLIS needs room for both";
    "trellis2.low_vram", "trellis2-low-vram", "TRELLIS_TRELLIS2_LOW_VRAM", Kind::Switch, "false" =>
        "Keep TRELLIS.2's models in main memory and bring each to the GPU for its stage; chosen automatically where \
         nothing else fits, as at a resolution of 1024 on a GPU of 24 GB";
}

/// The setting with that key.
pub(crate) fn by_key(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// A setting of an earlier version.
pub(crate) struct Removed {
    /// Its key.
    pub(crate) key: &'static str,
    /// Its variable.
    pub(crate) variable: &'static str,
    /// What to do instead, one sentence.
    pub(crate) advice: &'static str,
}

/// Settings of earlier versions.
pub(crate) const REMOVED: &[Removed] = &[Removed {
    key: "cache.max_bytes",
    variable: "TRELLIS_CACHE_MAX_BYTES",
    advice: "remove it: a result is kept as long as its job, which `retention.keep_jobs` and \
             `retention.keep_days` decide",
}];

/// The known key that looks most like `key`, if any does.
pub(crate) fn nearest(key: &str) -> Option<&'static str> {
    // A key that was written outside of its table, if there is only one table that has it.
    let mut inside = SETTINGS.iter().filter(|setting| {
        let within = setting.key.split_once('.');
        within.is_some_and(|(_, name)| name == key)
    });
    if let (Some(only), None) = (inside.next(), inside.next()) {
        return Some(only.key);
    }
    // Below 0.75 the suggestion would be a guess: `color` is no `log.format`.
    let rated = SETTINGS
        .iter()
        .map(|setting| (strsim::jaro_winkler(key, setting.key), setting.key));
    let best = rated.max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(likeness, _)| *likeness >= 0.75).map(|(_, key)| key)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn names_are_unique() {
        for name_of in [
            |s: &Setting| s.key,
            |s: &Setting| s.flag,
            |s: &Setting| s.variable,
        ] {
            let names: BTreeSet<_> = SETTINGS.iter().map(name_of).collect();
            assert_eq!(names.len(), SETTINGS.len());
        }
    }

    /// Who knows a key knows its variable; five are shorter, or were there before the settings.
    #[test]
    fn variables_follow_from_keys() {
        let named = [
            (LOG_LEVEL, "TRELLIS_LOG"),
            ("provenance.statement", "TRELLIS_STATEMENT"),
            ("provenance.sign_key", "TRELLIS_SIGN_KEY"),
            ("trellis.model", "TRELLIS_MODEL_PATH"),
            ("trellis.python", "TRELLIS_WORKER_PYTHON"),
        ];
        for setting in SETTINGS {
            let own = setting.key.strip_prefix("trellis.").unwrap_or(setting.key);
            let made = format!("TRELLIS_{}", own.replace('.', "_").to_uppercase());
            let other = named.iter().find(|(key, _)| *key == setting.key);
            assert_eq!(setting.variable, other.map_or(made.as_str(), |(_, name)| name));
        }
    }

    #[test]
    fn top_level_keys_come_first() {
        assert!(SETTINGS.is_sorted_by_key(|setting| setting.key.contains('.')));
    }

    #[test]
    fn a_mistyped_key_is_recognised_and_a_foreign_one_is_not() {
        assert_eq!(nearest("limits.pixel"), Some("limits.pixels"));
        assert_eq!(nearest("data-dir"), Some("data_dir"));
        assert_eq!(nearest("listen.prot"), Some("listen.port"));
        assert_eq!(nearest("host"), Some("listen.host"));
        assert_eq!(nearest("zzz"), None);
    }

    /// Sentences of other crates and of the documents name settings by their keys.
    #[test]
    fn every_setting_that_is_named_somewhere_exists() {
        let tables: BTreeSet<_> = SETTINGS
            .iter()
            .filter_map(|setting| Some(setting.key.split_once('.')?.0))
            .collect();
        let mut named = 0;
        for text in texts(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))) {
            for quoted in text.split('`').skip(1).step_by(2) {
                let Some((table, key)) = quoted.split_once('.') else {
                    continue;
                };
                // `cache.rs` and `trellis.nix` are files.
                let plain = !key.is_empty()
                    && !["rs", "nix"].contains(&key)
                    && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
                if plain && tables.contains(table) {
                    assert!(
                        by_key(quoted).is_some(),
                        "`{quoted}` is named somewhere but is not a setting"
                    );
                    named += 1;
                }
            }
        }
        assert!(named > SETTINGS.len(), "nothing was looked at");
    }

    /// Sources and documents of the project.
    fn texts(root: &Path) -> Vec<String> {
        let mut open = vec![root.join("crates"), root.join("docs"), root.join("README.md")];
        let mut texts = Vec::new();
        while let Some(path) = open.pop() {
            if path.is_dir() {
                let entries = std::fs::read_dir(path).expect("a folder of the project");
                open.extend(entries.map(|entry| entry.expect("an entry of it").path()));
            } else if path
                .extension()
                .is_some_and(|ending| ending == "rs" || ending == "md")
            {
                texts.push(std::fs::read_to_string(path).expect("a text of the project"));
            }
        }
        texts
    }
}
