//! Brings one file to its place: transferred (`transfer.rs`), verified, renamed.

use reqwest::header::CONTENT_LENGTH;

use crate::client::{Hub, media_type};
use crate::disk_space;
use crate::error::FetchError;
use crate::file::{How, Wanted};
use crate::partial::{NOTE_ENDING, Partial, beside};
use crate::progress::Progress;
use crate::transfer::{Transfer, content_range, header};

impl Hub {
    /// Brings a file to its place.
    pub(crate) async fn download(&self, wanted: &Wanted, progress: &dyn Progress) -> Result<How, FetchError> {
        let size = match wanted.size {
            Some(size) => size,
            None => self.size_of(wanted, progress).await?,
        };
        if self.is_in_place(wanted, size).await {
            progress.started(&wanted.name, size, size);
            progress.finished(&wanted.name);
            return Ok(How::AlreadyThere);
        }
        let had_begun = beside(&wanted.place, NOTE_ENDING).exists();
        let how = match self.transfer_to_place(wanted, size, progress).await {
            // An earlier run's bytes may be to blame (a bad disk, another mirror): once more from nothing.
            Err(FetchError::WrongDigest { .. }) if had_begun => {
                self.transfer_to_place(wanted, size, progress).await?
            }
            other => other?,
        };
        progress.finished(&wanted.name);
        Ok(how)
    }

    async fn is_in_place(&self, wanted: &Wanted, size: u64) -> bool {
        let right_size =
            std::fs::metadata(&wanted.place).is_ok_and(|meta| meta.is_file() && meta.len() == size);
        right_size
            && wanted
                .digest
                .of(&wanted.place)
                .await
                .is_ok_and(|found| found.as_deref() == wanted.digest.text())
    }

    async fn transfer_to_place(
        &self,
        wanted: &Wanted,
        size: u64,
        progress: &dyn Progress,
    ) -> Result<How, FetchError> {
        let identity = wanted.digest.text().unwrap_or(wanted.url.as_str()).to_owned();
        let partial = Partial::open(&wanted.place, &identity, size, self.settings.range_bytes)?;
        let already = partial.done_bytes();
        if let Some(folder) = wanted.place.parent() {
            disk_space::check(folder, size - already)?;
        }
        progress.started(&wanted.name, size, already);
        let transfer = Transfer {
            hub: self,
            wanted,
            partial: &partial,
            progress,
        };
        transfer.fill().await?;
        let found = wanted.digest.of(partial.path()).await;
        let found = found.map_err(|source| disk_space::write_error(partial.path(), 0, source))?;
        if found.as_deref() != wanted.digest.text() {
            partial.discard()?;
            progress.lost(&wanted.name, size);
            return Err(FetchError::WrongDigest {
                file: wanted.name.clone(),
                found: found.unwrap_or_default(),
                expected: wanted.digest.text().unwrap_or_default().to_owned(),
            });
        }
        partial.promote(&wanted.place)?;
        Ok(if already > 0 {
            How::Resumed
        } else {
            How::Downloaded
        })
    }

    /// Asks for a file's first byte to learn how many there are.
    async fn size_of(&self, wanted: &Wanted, progress: &dyn Progress) -> Result<u64, FetchError> {
        let mut attempts = self.attempts(&wanted.name, progress);
        loop {
            let permit = self.open.acquire().await;
            let answer = self.send(&wanted.url, Some((0, 1))).await;
            drop(permit);
            let trouble = match answer {
                Ok(response) => {
                    let whole = content_range(&response).map(|(_, total)| total);
                    let length = || header(&response, &CONTENT_LENGTH)?.parse().ok();
                    return whole.or_else(length).ok_or_else(|| FetchError::NotAHub {
                        place: wanted.name.clone(),
                        media_type: media_type(response.headers()),
                    });
                }
                Err(trouble) => trouble,
            };
            attempts.pause(trouble).await?;
        }
    }
}
