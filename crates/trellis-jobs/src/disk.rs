//! A disk, asked how much of it is free. Not here: how much is to be left free (`room.rs`).

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::Room;
use crate::room::Glimpse;

/// A disk. Clones share what was seen of it last.
#[derive(Clone)]
pub struct Disk {
    ask: Arc<dyn Fn() -> Option<Room> + Send + Sync>,
    seen: Arc<Mutex<Glimpse>>,
}

impl Disk {
    /// The one that a folder is on, or will be once it is made.
    pub fn of(folder: PathBuf) -> Self {
        Self::asking(move || folder.ancestors().find_map(Room::on_disk_of))
    }

    /// One that `ask` looks at. It may block.
    pub fn asking(ask: impl Fn() -> Option<Room> + Send + Sync + 'static) -> Self {
        Self {
            ask: Arc::new(ask),
            seen: Arc::default(),
        }
    }

    /// How much room there is; `None`: it does not say.
    pub async fn room(&self) -> Option<Room> {
        // A glimpse is copied, so that it is whole.
        let glimpse = || self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = *glimpse();
        if let Some(room) = seen.still(Instant::now()) {
            return Some(room);
        }
        let ask = self.ask.clone();
        let asked = tokio::task::spawn_blocking(move || ask()).await;
        let room = asked.ok().flatten()?;
        *glimpse() = Glimpse::of(room, Instant::now());
        Some(room)
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk")
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}
