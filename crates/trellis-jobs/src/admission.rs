//! Whether jobs are accepted now, whatever is in them.

use crate::{Jobs, StoreError};

impl Jobs {
    /// Fails where every submission of so many bytes would be refused now: the job database is damaged, or the disk has
    /// no room to spare. An edge asks before it reads a body, and to say whether the server is ready.
    pub async fn accepts(&self, bytes: u64) -> Result<(), StoreError> {
        self.store.sound()?;
        match self.blobs.room().await {
            Some(room) if !room.accepts(bytes) => Err(StoreError::NoRoom {
                free_bytes: room.free_bytes,
                kept_bytes: room.kept_bytes(),
            }),
            _ => Ok(()),
        }
    }
}
