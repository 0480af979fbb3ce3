//! A blob that is being read part by part, for a reader that may take its time.
//!
//! What is in the page cache is read in passing, as most results are: a thread that may block costs more than the
//! reading itself. The rest is left to such a thread.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use bytes::Bytes;
use futures::stream;

use super::FolderBlobs;
use super::cached::let_go;
use crate::blobs::BlobStream;
use crate::parts::{PART_BYTES, Part};
use crate::{BlobError, BlobKey};

pub(super) struct Reader {
    blobs: FolderBlobs,
    key: BlobKey,
    file: File,
    /// What is still to be read.
    rest: Range<u64>,
    /// Whether nobody has read it before, and all of it is read now.
    first: bool,
}

type Step = (Result<Bytes, BlobError>, Option<Reader>);

impl Reader {
    pub(super) fn new(blobs: FolderBlobs, key: BlobKey, file: File, range: Range<u64>) -> Self {
        let whole = file.metadata().is_ok_and(|found| range == (0..found.len()));
        Self {
            first: whole && blobs.unread.is_one(&key),
            blobs,
            key,
            file,
            rest: range,
        }
    }

    pub(super) fn into_stream(self) -> BlobStream {
        Box::pin(stream::unfold(Some(self), next))
    }

    /// Moves on behind a part that was read.
    fn pass(mut self, part: Part) -> Step {
        self.rest.start += part.as_ref().len() as u64;
        if self.rest.is_empty() {
            if self.first && self.blobs.unread.remove(&self.key) {
                let file = self.file;
                drop(tokio::task::spawn_blocking(move || let_go(&file)));
            }
            return (Ok(part.freeze()), None);
        }
        (Ok(part.freeze()), Some(self))
    }
}

async fn next(reader: Option<Reader>) -> Option<Step> {
    let reader = reader.filter(|reader| !reader.rest.is_empty())?;
    let mut part = reader.blobs.parts.take();
    let longest = usize::try_from(reader.rest.end - reader.rest.start).unwrap_or(usize::MAX);
    let longest = longest.min(PART_BYTES);
    let cached = read_cached(&reader.file, &mut part.room()[..longest], reader.rest.start);
    if cached > 0 {
        part.fill(cached);
        return Some(reader.pass(part));
    }
    let (blobs, key) = (reader.blobs.clone(), reader.key.clone());
    let read = blobs.blocking(&key, move |_, _| {
        let room = &mut part.room()[..longest];
        reader.file.read_exact_at(room, reader.rest.start)?;
        part.fill(longest);
        Ok((part, reader))
    });
    match read.await {
        Ok((part, reader)) => Some(reader.pass(part)),
        Err(error) => Some((Err(error), None)),
    }
}

/// Reads what can be read without waiting for the disk, and returns how much that is.
#[cfg(target_os = "linux")]
fn read_cached(file: &File, into: &mut [u8], at: u64) -> usize {
    use rustix::io::{ReadWriteFlags, preadv2};
    // A file system that cannot do so says so each time.
    preadv2(file, &mut [io::IoSliceMut::new(into)], at, ReadWriteFlags::NOWAIT).unwrap_or(0)
}

#[cfg(not(target_os = "linux"))]
fn read_cached(_file: &File, _into: &mut [u8], _at: u64) -> usize {
    0
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;

    use super::*;
    use crate::BlobStore as _;

    /// A part of it, read to its end.
    async fn read(blobs: &FolderBlobs, key: &BlobKey, range: Range<u64>) -> (Vec<u8>, usize) {
        let mut parts = blobs.read(key, range).await.unwrap();
        let (mut all, mut longest) = (Vec::new(), 0);
        while let Some(part) = parts.next().await {
            let part = part.unwrap();
            longest = longest.max(part.len());
            all.extend_from_slice(&part);
        }
        (all, longest)
    }

    #[tokio::test]
    async fn what_is_cached_and_what_is_not_are_read_alike() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = FolderBlobs::open(folder.path()).unwrap();
        let key = BlobKey::from_stored("jobs/a".to_owned());
        let bytes: Vec<u8> = (0..=250).cycle().take(PART_BYTES * 3 + 5).collect();
        blobs.put(&key, bytes.clone().into()).await.unwrap();
        let file = blobs.open_blob(&key).unwrap();
        let end = bytes.len();
        for cached in [true, false] {
            for range in [0..end, 7..end - 3, end - 1..end, 5..5] {
                if !cached {
                    // Where the folder is in memory, that changes nothing.
                    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
                }
                let (start, stop) = (range.start as u64, range.end as u64);
                let (read, longest) = read(&blobs, &key, start..stop).await;
                assert!(read == bytes[range]);
                assert!(longest <= PART_BYTES);
            }
        }
    }

    #[tokio::test]
    async fn reading_what_is_cached_takes_no_other_thread() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = FolderBlobs::open(folder.path()).unwrap();
        let key = BlobKey::from_stored("jobs/a".to_owned());
        blobs.put(&key, vec![7; PART_BYTES * 2].into()).await.unwrap();
        let mut parts = blobs.read(&key, 0..PART_BYTES as u64 * 2).await.unwrap();
        if read_cached(&blobs.open_blob(&key).unwrap(), &mut [0], 0) == 0 {
            // The file system of this folder cannot tell.
            return;
        }
        for _ in 0..2 {
            let part = futures::FutureExt::now_or_never(parts.next()).expect("it does not wait");
            assert_eq!(part.unwrap().unwrap().len(), PART_BYTES);
        }
    }
}
