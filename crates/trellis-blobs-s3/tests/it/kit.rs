//! What the tests share: a bucket of their own.

use std::sync::Arc;

use jiff::Timestamp;
use trellis_blobs_s3::{Credentials, OpenError, S3Blobs, Settings};
use trellis_core::JobId;
use trellis_jobs::BlobStore;
use trellis_jobs::conformance::BlobFixture;

use crate::server::{Server, address, credentials_file};

/// An empty bucket.
pub(crate) struct Place {
    pub(crate) server: Server,
    pub(crate) blobs: S3Blobs,
    incoming: tempfile::TempDir,
}

/// Whether there is no server; says so.
pub(crate) fn skipped() -> bool {
    trellis_jobs::conformance::blobs_skipped::<Place>()
}

pub(crate) fn job(n: u8) -> JobId {
    JobId::new(
        Timestamp::from_second(1_700_000_000 + i64::from(n)).unwrap(),
        [n; 10],
    )
}

impl Place {
    pub(crate) async fn with(links: bool) -> Self {
        let server = Server::start();
        let incoming = tempfile::tempdir().unwrap();
        let mut settings = settings(&server.address());
        settings.incoming = incoming.path().to_owned();
        settings.links = links;
        let blobs = S3Blobs::open(&settings).await.unwrap();
        Self {
            server,
            blobs,
            incoming,
        }
    }

    /// The same bucket on another way.
    pub(crate) async fn through(&self, port: u16) -> S3Blobs {
        let mut settings = settings(&address(crate::server::BUCKET, port));
        settings.incoming = self.incoming.path().to_owned();
        S3Blobs::open(&settings).await.unwrap()
    }
}

/// With the right credentials.
pub(crate) fn settings(address: &str) -> Settings {
    Settings {
        address: address.parse().unwrap(),
        credentials: Some(Credentials::parse(&credentials_file()).unwrap()),
        incoming: std::env::temp_dir(),
        links: false,
    }
}

/// Opens it and says why not.
pub(crate) async fn refused(settings: &Settings) -> OpenError {
    S3Blobs::open(settings).await.expect_err("it does not open")
}

#[async_trait::async_trait]
impl BlobFixture for Place {
    async fn new() -> Self {
        Self::with(false).await
    }

    fn blobs(&self) -> Arc<dyn BlobStore> {
        Arc::new(self.blobs.clone())
    }

    fn missing() -> Option<String> {
        Server::missing()
    }
}
