//! A submission that is coming in: its pictures, and a mesh that is to be textured, go to the blob store as they
//! arrive, part by part, digested on the way.
//!
//! Nothing counts before [`Jobs::submit`]: an intake that is dropped leaves nothing behind, and what a killed process
//! left is swept like every unfinished write.

use std::io::Read as _;

use bytes::{Buf as _, Bytes};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use trellis_core::{AssetName, Input, InputFile, JobId, Sha256Hasher};
use trellis_mesh::Limits;
use trellis_picture::{ForeignFile, PictureError, probe};

use crate::parts::{PART_BYTES, Part};
use crate::staging::{Berth, NoRoom};
use crate::{BlobError, BlobKey, Jobs, ReadSeek, StagedBlob, SubmitError};

/// A submission that is coming in.
#[must_use = "it becomes a job by `Jobs::submit`"]
pub struct Intake {
    jobs: Jobs,
    id: JobId,
    berth: Berth,
    begun: u32,
    pictures: Vec<Taken>,
    mesh: Option<Taken>,
}

/// A file that has arrived and was looked at.
struct Taken {
    index: u32,
    input: Input,
    key: BlobKey,
    staged: Box<dyn StagedBlob>,
    claim: Claim,
}

/// What has arrived, in order.
#[derive(Default)]
pub(crate) struct Received {
    pub(crate) inputs: Vec<Input>,
    pub(crate) keys: Vec<BlobKey>,
    pub(crate) staged: Vec<Box<dyn StagedBlob>>,
    /// The room that it takes until these are dropped.
    pub(crate) claims: Vec<Claim>,
}

/// A file that is arriving: a picture, or a whole body that pictures are taken from.
pub struct Arriving {
    index: u32,
    name: Option<AssetName>,
    key: BlobKey,
    claim: Claim,
    staged: Box<dyn StagedBlob>,
    digest: Sha256Hasher,
    /// What came last and is not written yet: connections are read in small pieces, and each write costs a turn of a
    /// thread.
    gathered: Option<Part>,
}

/// Room on disk that one file takes.
pub(crate) struct Claim {
    berth: Berth,
    bytes: u64,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.berth.give_back(self.bytes);
    }
}

/// Digesting more than this at once is work for a thread that may be busy.
const DIGESTED_IN_PASSING: usize = 256 << 10;

impl Jobs {
    /// A submission begins. It holds no more than disk space, which it loses to others when that runs out.
    pub fn intake(&self) -> Intake {
        Intake {
            jobs: self.clone(),
            id: JobId::new(Timestamp::now(), rand::random()),
            berth: self.staging.enter(),
            begun: 0,
            pictures: Vec::new(),
            mesh: None,
        }
    }
}

impl Intake {
    /// The name of the job that this is to be.
    pub fn id(&self) -> JobId {
        self.id
    }

    /// Set once this submission has made room for others. Then it is over: whoever waits for its client stops
    /// waiting and answers with [`SubmitError::Busy`].
    pub fn displaced(&self) -> CancellationToken {
        self.berth.displaced()
    }

    /// Begins the next picture, which may be called `name`; the one too many is refused before any of it is taken.
    /// Several may arrive at a time.
    pub async fn picture(&mut self, name: Option<AssetName>) -> Result<Arriving, SubmitError> {
        let max_images = self.jobs.limits.max_images;
        if self.begun as usize >= max_images {
            return Err(SubmitError::TooManyPictures { max_images });
        }
        let index = self.begun;
        self.begun += 1;
        self.arriving(index, name, BlobKey::input(self.id, index)).await
    }

    /// Begins the mesh that is to be textured, which may be called `name`.
    pub async fn mesh(&self, name: Option<AssetName>) -> Result<Arriving, SubmitError> {
        if self.mesh.is_some() {
            return Err(SubmitError::TwoMeshes);
        }
        self.arriving(0, name, BlobKey::mesh(self.id)).await
    }

    /// Takes in the mesh that has arrived: reads all of it. Waits for a turn like [`Self::take`].
    pub async fn take_mesh(&mut self, mut mesh: Arriving) -> Result<(), SubmitError> {
        if self.mesh.is_some() {
            return Err(SubmitError::TwoMeshes);
        }
        let mut source = mesh.reopen().await?;
        let size_bytes = mesh.claim.bytes;
        let heavy_work = self.jobs.heavy_work.clone();
        let probed = self
            .jobs
            .heavy_work
            // One at a time: a small file may stand for the largest mesh.
            .run(u64::MAX, move || {
                let mut bytes = heavy_work.memory(size_bytes);
                source.read_to_end(&mut bytes.memory)?;
                std::io::Result::Ok(trellis_mesh::probe(&bytes.memory, Limits::default()))
            });
        let found = probed
            .await?
            .map_err(|source| BlobError::Unavailable {
                key: mesh.key.clone(),
                source: source.into(),
            })?
            .map_err(|source| SubmitError::Mesh { source })?;
        let (size_bytes, sha256) = mesh.digest.finish();
        self.mesh = Some(Taken {
            index: mesh.index,
            input: Input {
                file: InputFile::Mesh(found),
                size_bytes,
                sha256,
                name: mesh.name,
            },
            key: mesh.key,
            staged: mesh.staged,
            claim: mesh.claim,
        });
        Ok(())
    }

    /// Begins a file that is no picture and never kept, such as a body that is read once it is whole.
    pub async fn spool(&self) -> Result<Arriving, SubmitError> {
        self.arriving(0, None, BlobKey::body(self.id)).await
    }

    async fn arriving(
        &self,
        index: u32,
        name: Option<AssetName>,
        key: BlobKey,
    ) -> Result<Arriving, SubmitError> {
        let staged = self.jobs.blobs.stage(&key).await?;
        Ok(Arriving {
            index,
            name,
            key,
            claim: Claim {
                berth: self.berth.clone(),
                bytes: 0,
            },
            staged,
            digest: Sha256Hasher::default(),
            gathered: None,
        })
    }

    /// Takes in a picture that has arrived: reads its header. Waits for a turn at [`Jobs::heavy_work`], so that
    /// whoever holds one must not call this.
    pub async fn take(&mut self, mut picture: Arriving) -> Result<(), SubmitError> {
        let index = picture.index as usize;
        let mut source = picture.reopen().await?;
        let max_pixels = self.jobs.limits.max_pixels;
        let size_bytes = picture.claim.bytes;
        let heavy_work = self.jobs.heavy_work.clone();
        let probed = self.jobs.heavy_work.run(size_bytes, move || {
            let mut bytes = heavy_work.memory(size_bytes);
            source.read_to_end(&mut bytes.memory)?;
            // A decoder that met something it was not made for: the picture's fault, not the server's end.
            let probed = std::panic::catch_unwind(|| probe(&bytes.memory, max_pixels));
            std::io::Result::Ok(probed.unwrap_or(Err(PictureError::NotRead {
                file: ForeignFile::Unknown,
            })))
        });
        let header = probed
            .await?
            .map_err(|source| BlobError::Unavailable {
                key: picture.key.clone(),
                source: source.into(),
            })?
            .map_err(|source| SubmitError::Picture { index, source })?;
        let (size_bytes, sha256) = picture.digest.finish();
        self.pictures.push(Taken {
            index: picture.index,
            input: Input {
                file: InputFile::picture(header.format, header.width, header.height),
                size_bytes,
                sha256,
                // The first picture's name is the object's.
                name: picture.name.filter(|_| index == 0),
            },
            key: picture.key,
            staged: picture.staged,
            claim: picture.claim,
        });
        Ok(())
    }

    /// Takes in a picture that is here already.
    pub async fn add(&mut self, bytes: Bytes, name: Option<AssetName>) -> Result<(), SubmitError> {
        let mut picture = self.picture(name).await?;
        picture.write(bytes).await?;
        self.take(picture).await
    }

    /// The first picture that was taken in, for a thread that may block; it goes with this submission.
    pub async fn first(&mut self) -> Result<(&Input, Box<dyn ReadSeek>), SubmitError> {
        let first = self.pictures.first_mut().ok_or(SubmitError::NoPicture)?;
        let source = first.staged.reopen().await?;
        Ok((&first.input, source))
    }

    pub(crate) fn into_received(mut self) -> Received {
        self.pictures.sort_unstable_by_key(|picture| picture.index);
        let mut received = Received::default();
        for Taken {
            input,
            key,
            staged,
            claim,
            ..
        } in self.pictures.into_iter().chain(self.mesh)
        {
            received.inputs.push(input);
            received.keys.push(key);
            received.staged.push(staged);
            received.claims.push(claim);
        }
        received
    }
}

impl Arriving {
    /// Adds the next bytes.
    pub async fn write(&mut self, mut part: Bytes) -> Result<(), SubmitError> {
        let size = part.len() as u64;
        self.claim.berth.take(size).map_err(|NoRoom| SubmitError::Busy)?;
        self.claim.bytes += size;
        while !part.is_empty() {
            if self.gathered.is_none() && part.len() < PART_BYTES {
                self.gathered = self.claim.berth.part();
            }
            let Some(gathered) = &mut self.gathered else {
                return self.append(part).await;
            };
            part.advance(gathered.add(&part));
            if gathered.is_full() {
                self.write_gathered().await?;
            }
        }
        Ok(())
    }

    async fn write_gathered(&mut self) -> Result<(), SubmitError> {
        match self.gathered.take() {
            Some(gathered) => self.append(gathered.freeze()).await,
            None => Ok(()),
        }
    }

    async fn append(&mut self, part: Bytes) -> Result<(), SubmitError> {
        if part.len() <= DIGESTED_IN_PASSING {
            self.digest.update(&part);
        } else {
            let (mut digest, part) = (std::mem::take(&mut self.digest), part.clone());
            let digested = tokio::task::spawn_blocking(move || {
                digest.update(&part);
                digest
            });
            self.digest = digested
                .await
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        }
        Ok(self.staged.append(part).await?)
    }

    /// Where it will be.
    pub fn key(&self) -> &BlobKey {
        &self.key
    }

    /// How many bytes have arrived.
    pub fn size_bytes(&self) -> u64 {
        self.claim.bytes
    }

    /// What has arrived so far, from its beginning, for a thread that may block. It stays readable for as long as
    /// the reader lives.
    pub async fn reopen(&mut self) -> Result<Box<dyn ReadSeek>, SubmitError> {
        self.write_gathered().await?;
        Ok(self.staged.reopen().await?)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::sync::{Arc, Mutex};

    use trellis_core::Sha256;

    use super::*;
    use crate::{ReadSeek, Staging};

    /// Notes what is written at a time.
    #[derive(Clone, Default)]
    struct Noted(Arc<Mutex<Vec<Bytes>>>);

    #[async_trait::async_trait]
    impl StagedBlob for Noted {
        async fn append(&mut self, part: Bytes) -> Result<(), BlobError> {
            self.0.lock().unwrap().push(part);
            Ok(())
        }

        async fn reopen(&mut self) -> Result<Box<dyn ReadSeek>, BlobError> {
            Ok(Box::new(Cursor::new(self.0.lock().unwrap().concat())))
        }

        async fn keep(self: Box<Self>) -> Result<(), BlobError> {
            Ok(())
        }
    }

    fn arriving(staging: &Staging, staged: &Noted) -> Arriving {
        let berth = staging.enter();
        let id = JobId::new(Timestamp::UNIX_EPOCH, [0; 10]);
        Arriving {
            index: 0,
            name: None,
            key: BlobKey::body(id),
            claim: Claim { berth, bytes: 0 },
            staged: Box::new(staged.clone()),
            digest: Sha256Hasher::default(),
            gathered: None,
        }
    }

    #[tokio::test]
    async fn small_pieces_are_written_together_and_large_ones_as_they_are() {
        let (staging, noted) = (Staging::new(u64::MAX), Noted::default());
        let mut file = arriving(&staging, &noted);
        let all: Bytes = (0..=250).cycle().take(PART_BYTES * 5).collect();
        let (small, large) = (all.slice(..=PART_BYTES * 2), all.slice(PART_BYTES * 2 + 1..));
        for at in (0..small.len()).step_by(1000) {
            file.write(small.slice(at..small.len().min(at + 1000)))
                .await
                .unwrap();
        }
        assert_eq!(noted.0.lock().unwrap().len(), 2);
        file.write(large).await.unwrap();
        let mut read = Vec::new();
        file.reopen().await.unwrap().read_to_end(&mut read).unwrap();
        assert!(read == all);
        let sizes: Vec<usize> = noted.0.lock().unwrap().iter().map(Bytes::len).collect();
        assert_eq!(sizes, [PART_BYTES, PART_BYTES, PART_BYTES, PART_BYTES * 2]);
        assert_eq!(file.digest.finish(), (all.len() as u64, Sha256::of(&all)));
    }

    #[tokio::test]
    async fn many_clients_do_not_take_memory_without_bound() {
        let (staging, noted) = (Staging::new(u64::MAX), Noted::default());
        let mut files: Vec<Arriving> = (0..200).map(|_| arriving(&staging, &noted)).collect();
        for file in &mut files {
            file.write(Bytes::from_static(b"a few bytes")).await.unwrap();
        }
        assert_eq!(files.iter().filter(|file| file.gathered.is_some()).count(), 16);
        assert_eq!(noted.0.lock().unwrap().len(), 200 - 16);
    }
}
