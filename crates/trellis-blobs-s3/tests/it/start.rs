//! What is looked at before anything starts.

use std::error::Error as _;

use futures::future::join_all;
use trellis_blobs_s3::{Credentials, S3Blobs};

use crate::kit::{refused, settings, skipped};
use crate::server::{KEY_ID, SECRET, Server, address};

fn key(id: &str, secret: &str) -> Credentials {
    Credentials::parse(&format!("aws_access_key_id={id}\naws_secret_access_key={secret}")).unwrap()
}

#[tokio::test]
async fn wrong_credentials_are_told_from_a_missing_bucket_and_no_secret_is_repeated() {
    if skipped() {
        return;
    }
    let server = Server::start();
    let mut with_another_id = settings(&server.address());
    with_another_id.credentials = Some(key("AKIAOTHER", SECRET));
    let mut with_another_secret = settings(&server.address());
    with_another_secret.credentials = Some(key(KEY_ID, "swordfish"));
    let other_bucket = settings(&address("other", server.port));
    for (settings, kind, advice) in [
        (with_another_id, "blobs_refused", "correct the"),
        (with_another_secret, "blobs_refused", "correct the key's secret"),
        (other_bucket, "blobs_no_bucket", "make the bucket"),
    ] {
        let error = refused(&settings).await;
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(error.advice().contains(advice), "{}", error.advice());
        let said = format!("{error} {error:?} {:?} {settings:?}", error.source());
        assert!(!said.contains(SECRET) && !said.contains("swordfish"), "{said}");
        assert!(!said.contains("<?xml"), "{said}");
    }
}

#[tokio::test]
async fn storage_that_is_not_there_is_said_at_once() {
    if skipped() {
        return;
    }
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let error = refused(&settings(&address("studio", port))).await;
    assert_eq!(error.kind(), "blobs_unusable", "{error:?}");
    assert!(
        error.to_string().contains(&format!("http://127.0.0.1:{port}")),
        "{error}"
    );
    let cause = error.source().unwrap().to_string();
    assert!(cause.contains("refused"), "{cause}");
}

#[tokio::test]
async fn servers_that_start_together_do_not_disturb_each_other() {
    if skipped() {
        return;
    }
    let server = Server::start();
    let settings = settings(&server.address());
    for opened in join_all((0..32).map(|_| S3Blobs::open(&settings))).await {
        opened.unwrap();
    }
    // Nothing of what was tried stays.
    let below = server.bucket().join("below/here");
    let left = std::fs::read_dir(below).map_or(0, Iterator::count);
    assert_eq!(left, 0);
}
