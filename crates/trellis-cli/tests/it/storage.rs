//! Pictures and results in S3-compatible storage: a job from its submission to its download, with and without the server
//! in between, and what keeps a server from starting.

#![expect(clippy::print_stdout, reason = "skipped tests say why")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use reqwest::header;
use tempfile::TempDir;

use crate::kit::client::{Client, is_glb};
use crate::kit::server::Server;
use crate::kit::{describe, picture, trellis};
use crate::s3;

/// A bucket, and homes for servers that use it.
struct Bucket {
    place: TempDir,
    storage: s3::Server,
}

impl Bucket {
    fn new() -> Option<Self> {
        if let Some(missing) = s3::Server::missing() {
            println!("skipped: {missing}");
            return None;
        }
        let place = tempfile::tempdir().expect("a temporary folder");
        credentials(place.path(), &s3::credentials_file());
        Some(Self {
            place,
            storage: s3::Server::start(),
        })
    }

    fn home(&self, name: &str) -> PathBuf {
        let home = self.place.path().join(name);
        fs::create_dir_all(&home).expect("a folder");
        home
    }

    fn flags(&self) -> Vec<String> {
        let credentials = self.place.path().join("credentials").display().to_string();
        vec![
            "--blobs".to_owned(),
            self.storage.address(),
            "--blobs-credentials-file".to_owned(),
            credentials,
        ]
    }

    fn server(&self, name: &str, more: &[&str]) -> Server {
        let flags = self.flags();
        let flags: Vec<&str> = flags
            .iter()
            .map(String::as_str)
            .chain(more.iter().copied())
            .collect();
        Server::start(&self.home(name), &flags)
    }

    /// Names of the files below the prefix.
    fn objects(&self) -> Vec<String> {
        let mut open = vec![self.storage.bucket().join("below/here")];
        let mut found = Vec::new();
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.path().is_dir() {
                    open.push(entry.path());
                } else {
                    found.push(entry.file_name().to_string_lossy().into_owned());
                }
            }
        }
        found
    }
}

fn credentials(folder: &Path, text: &str) {
    let file = folder.join("credentials");
    fs::write(&file, text).expect("a file");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("its owner");
}

#[tokio::test]
async fn a_job_s_files_are_in_the_storage_and_come_through_the_server() {
    let Some(bucket) = Bucket::new() else { return };
    let server = bucket.server("one", &[]);
    let client = Client::new(&server.address);
    let id = client.accepted(picture::png(64, 48), "first").await;
    let job = client.finished(&id).await;
    assert_eq!(client.damage(&job).await, None);
    let glb = client.artifact(&id, "model.glb").await;
    assert!(is_glb(&glb));
    let objects = bucket.objects();
    assert!(
        objects.iter().any(|name| *name == format!("{id}.1.model.glb")),
        "{objects:?}"
    );
    let home = bucket.home("one").join("data");
    assert!(!home.join("blobs").exists(), "nothing stays on this machine");
    assert_eq!(fs::read_dir(home.join("incoming")).expect("a folder").count(), 0);
    // By its ETag, in parts.
    let http = reqwest::Client::new();
    let address = format!("{}/v1/jobs/{id}/artifacts/model.glb", server.address);
    let part = http
        .get(&address)
        .header(header::RANGE, "bytes=4-11")
        .send()
        .await
        .expect("an answer");
    assert_eq!(part.status(), 206);
    let etag = part.headers()[header::ETAG].clone();
    assert_eq!(etag, format!("\"{}\"", trellis_core::Sha256::of(&glb)));
    assert_eq!(part.bytes().await.expect("a body"), glb[4..12]);
    let known = http
        .get(&address)
        .header(header::IF_NONE_MATCH, etag)
        .send()
        .await;
    assert_eq!(known.expect("an answer").status(), 304);
    // What is gone is gone in the storage too.
    client.delete(&id).await.expect("an answer");
    assert!(
        bucket.objects().iter().all(|name| !name.contains(&id)),
        "{:?}",
        bucket.objects()
    );
    // Nobody wrote the secret into the log.
    assert!(!server.log().contains(s3::SECRET));
}

#[tokio::test]
async fn clients_are_sent_to_the_storage_where_that_is_wanted_and_pages_are_not() {
    let Some(bucket) = Bucket::new() else { return };
    let server = bucket.server("one", &["--blobs-redirect"]);
    let client = Client::new(&server.address);
    let id = client.accepted(picture::png(64, 48), "first").await;
    client.finished(&id).await;
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client");
    let address = format!("{}/v1/jobs/{id}/artifacts/model.glb", server.address);
    let sent = http.get(&address).send().await.expect("an answer");
    assert_eq!(
        (sent.status(), &sent.headers()[header::CACHE_CONTROL]),
        (307.try_into().unwrap(), &"no-store".parse().unwrap())
    );
    let to = sent.headers()[header::LOCATION]
        .to_str()
        .expect("a URL")
        .to_owned();
    assert!(
        to.starts_with(&format!("http://127.0.0.1:{}/", bucket.storage.port)),
        "{to}"
    );
    let glb = http
        .get(&to)
        .send()
        .await
        .expect("an answer")
        .bytes()
        .await
        .expect("a body");
    assert!(is_glb(&glb));
    for (name, value) in [
        ("sec-fetch-mode", "cors"),
        ("range", "bytes=0-"),
        ("if-range", "\"x\""),
    ] {
        let answer = http
            .get(&address)
            .header(name, value)
            .send()
            .await
            .expect("an answer");
        assert!(answer.status().is_success(), "{name}: {}", answer.status());
        assert_eq!(answer.bytes().await.expect("a body"), glb);
    }
    assert_eq!(http.head(&address).send().await.expect("an answer").status(), 200);
    // Our own client follows, and compares what it gets.
    fs::write(bucket.place.path().join("photo.png"), picture::png(64, 3)).expect("a file");
    let said = describe(trellis(bucket.place.path()).args([
        "generate",
        "photo.png",
        "-o",
        "out.glb",
        "--server",
        &server.address,
    ]));
    assert!(said.starts_with("exit code: 0"), "{said}");
    assert!(is_glb(
        &fs::read(bucket.place.path().join("out.glb")).expect("a file")
    ));
}

#[test]
fn storage_that_cannot_be_used_is_refused_with_what_to_do() {
    let Some(bucket) = Bucket::new() else { return };
    let home = bucket.home("alone");
    let other = bucket.home("other");
    credentials(
        &other,
        "aws_access_key_id = AKIAX\naws_secret_access_key = swordfish\n",
    );
    let other = other.join("credentials").display().to_string();
    let exposed = bucket.place.path().join("exposed");
    fs::write(&exposed, s3::credentials_file()).expect("a file");
    let exposed = exposed.display().to_string();
    let ours = bucket.place.path().join("credentials").display().to_string();
    let (here, port) = (bucket.storage.address(), bucket.storage.port);
    let no_bucket = s3::address("nothing", port);
    let nowhere = s3::address(s3::BUCKET, 1);
    for (blobs, credentials, why) in [
        (
            &*here,
            &*other,
            "does not let this server use the bucket `studio`",
        ),
        (&*here, &*exposed, "chmod 600"),
        (&*no_bucket, &*ours, "has no bucket `nothing`"),
        (&*nowhere, &*ours, "cannot be used"),
        (
            "s3://me:swordfish@studio/x",
            &*ours,
            "it holds a key or a password",
        ),
        ("s3://studio?colour=blue", &*ours, "the option `colour`"),
    ] {
        let flags = ["--blobs", blobs, "--blobs-credentials-file", credentials];
        let said = Server::try_start(&home, &flags).err().expect("it does not start");
        assert!(said.contains(why) && said.contains("hint: "), "{blobs}: {said}");
        assert!(
            !said.contains("swordfish") && !said.contains(s3::SECRET),
            "{said}"
        );
    }
    let said = Server::try_start(&home, &["--blobs-redirect"])
        .err()
        .expect("it does not start");
    assert!(
        said.contains("`store.blobs` names none") && said.contains("hint: "),
        "{said}"
    );
}
