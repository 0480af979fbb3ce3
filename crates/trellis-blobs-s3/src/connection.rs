//! The way to the storage: an HTTP client with the rustls and the certificates of the rest of the program, how long it is
//! patient, and a look at what we may do there before anything starts.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsCredential};
use object_store::client::{HttpClient, HttpConnector};
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, Error, ObjectStore as _, ObjectStoreExt as _, RetryConfig,
    StaticCredentialProvider,
};

use crate::error::S3Failure;
use crate::{Address, Credentials, OpenError};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest silence. A part that is sent over a slow line is answered only after its end.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// A result took minutes on a GPU: it is worth waiting for storage that restarts or is overloaded.
const PATIENCE: Duration = Duration::from_secs(120);
/// A person waits for the start.
const PATIENCE_AT_START: Duration = Duration::from_secs(4);

/// Variables by which a machine or a container of a cloud says who it is, and those of a key.
const IDENTITIES: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

/// Makes our clients.
#[derive(Debug)]
struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        // Chosen once for the process; a second call finds it there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .user_agent(concat!("trellis/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            // Signed requests are for the host that they were signed for.
            .redirect(reqwest::redirect::Policy::none())
            .http1_only()
            .build();
        http.map(HttpClient::new).map_err(|source| Error::Generic {
            store: "S3",
            source: Box::new(source),
        })
    }
}

/// Connects to the bucket and looks whether it can be listed, written, read and deleted from.
pub(crate) async fn connect(
    address: &Address,
    credentials: Option<&Credentials>,
) -> Result<AmazonS3, OpenError> {
    let endpoint = endpoint(address);
    let unusable = |error: &Error| OpenError::Unusable {
        endpoint: endpoint.clone(),
        source: S3Failure::said(error),
    };
    let builder = |patience| builder(address, credentials, patience).build();
    let impatient = builder(PATIENCE_AT_START).map_err(|error| unusable(&error))?;
    look(&impatient, address).await.map_err(|error| {
        let source = S3Failure::said(&error);
        let bucket = address.bucket.clone();
        if source.is("NoSuchBucket") {
            OpenError::NoBucket {
                endpoint: endpoint.clone(),
                bucket,
                source,
            }
        } else if source.is_refusal() {
            OpenError::Refused {
                endpoint: endpoint.clone(),
                bucket,
                source,
            }
        } else if credentials.is_none() && is_nobody() {
            OpenError::NoCredentials { bucket, source }
        } else {
            OpenError::Unusable {
                endpoint: endpoint.clone(),
                source,
            }
        }
    })?;
    builder(PATIENCE).map_err(|error| unusable(&error))
}

fn builder(address: &Address, credentials: Option<&Credentials>, patience: Duration) -> AmazonS3Builder {
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(&address.bucket)
        .with_http_connector(Connector)
        // Not every server that speaks S3 answers as AWS does where an object is gone already.
        .with_disable_bulk_delete(true)
        .with_retry(RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(100),
                max_backoff: Duration::from_secs(5),
                base: 2.,
            },
            max_retries: usize::MAX,
            retry_timeout: patience,
        });
    if let Some(endpoint) = &address.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(region) = &address.region {
        builder = builder.with_region(region);
    }
    if let Some(credentials) = credentials {
        // All three of them: a token of the environment belongs to another key.
        let credential = AwsCredential {
            key_id: credentials.key_id.clone(),
            secret_key: credentials.secret.clone(),
            token: credentials.token.clone(),
        };
        builder = builder.with_credentials(Arc::new(StaticCredentialProvider::new(credential)));
    }
    builder
}

/// Whether nothing on this machine says who we are; a cloud's own service for that is asked all the same.
fn is_nobody() -> bool {
    IDENTITIES.iter().all(|name| std::env::var_os(name).is_none())
}

/// Where requests go, for people.
fn endpoint(address: &Address) -> String {
    let set = std::env::var("AWS_ENDPOINT_URL_S3").or_else(|_| std::env::var("AWS_ENDPOINT_URL"));
    let set = address.endpoint.clone().or(set.ok());
    set.unwrap_or_else(|| "AWS".to_owned())
}

/// Does each thing once that a server does.
async fn look(store: &AmazonS3, address: &Address) -> object_store::Result<()> {
    let below = Path::parse(&address.prefix)?;
    let mut listed = store.list(Some(&below));
    if let Some(first) = listed.next().await {
        first?;
    }
    // Its own: servers that start together would delete each other's.
    let probe = below.join(format!("write-check-{:016x}", rand::random::<u64>()));
    store.put(&probe, "written at each start\n".into()).await?;
    store.get(&probe).await?.bytes().await?;
    store.delete(&probe).await
}
