//! A local file on its way into the storage: whole, or in parts side by side where it is large. Parts of an upload that fails or
//! is not waited for are given up.

use std::io::Read as _;
use std::path::Path as FilePath;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{Error, MultipartUpload, ObjectStoreExt as _};
use tracing::warn;

/// The storage takes 10,000 parts, so that a file may have 78 GiB.
pub(crate) const PART_BYTES: usize = 8 << 20;
/// So many parts are on their way at a time.
const SIDE_BY_SIDE: usize = 4;

/// Sends a file.
pub(crate) async fn send(store: &AmazonS3, to: &Path, file: &FilePath) -> Result<(), Error> {
    let mut parts = Parts::open(file).await?;
    let first = parts.next().await?;
    if first.len() < PART_BYTES {
        return store.put(to, first.into()).await.map(drop);
    }
    let mut upload = Upload(Some(store.put_multipart(to).await?));
    let sent = upload.send_all(first, &mut parts).await;
    if sent.is_ok() {
        // Nothing is left to be given up.
        upload.0 = None;
    }
    sent
}

/// A file, part by part.
struct Parts {
    file: Option<std::fs::File>,
}

impl Parts {
    async fn open(path: &FilePath) -> Result<Self, Error> {
        let path = path.to_owned();
        blocking(move || {
            let file = Some(std::fs::File::open(path)?);
            Ok(Self { file })
        })
        .await
    }

    /// The next part, as long as all parts but the last; the last may be empty.
    async fn next(&mut self) -> Result<Bytes, Error> {
        let Some(file) = self.file.take() else {
            return Ok(Bytes::new());
        };
        let (part, file) = blocking(move || {
            let mut part = Vec::new();
            (&file).take(PART_BYTES as u64).read_to_end(&mut part)?;
            Ok((part, file))
        })
        .await?;
        if part.len() == PART_BYTES {
            self.file = Some(file);
        }
        Ok(part.into())
    }
}

async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let read = tokio::task::spawn_blocking(read).await?;
    read.map_err(|source| Error::Generic {
        store: "S3",
        source: Box::new(source),
    })
}

/// An upload in parts, given up when it is dropped before its end.
struct Upload(Option<Box<dyn MultipartUpload>>);

impl Upload {
    async fn send_all(&mut self, first: Bytes, parts: &mut Parts) -> Result<(), Error> {
        let upload = self.0.as_mut().expect("it is taken when it is dropped");
        let mut on_their_way = FuturesUnordered::new();
        let mut part = first;
        while !part.is_empty() {
            on_their_way.push(upload.put_part(part.into()));
            if on_their_way.len() == SIDE_BY_SIDE {
                on_their_way.next().await.unwrap_or(Ok(()))?;
            }
            part = parts.next().await?;
        }
        while let Some(sent) = on_their_way.next().await {
            sent?;
        }
        upload.complete().await.map(drop)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let (Some(mut upload), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        runtime.spawn(async move {
            if let Err(error) = upload.abort().await {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "parts of an upload stay in the storage; a rule of the bucket for unfinished multipart uploads \
                     removes them"
                );
            }
        });
    }
}
