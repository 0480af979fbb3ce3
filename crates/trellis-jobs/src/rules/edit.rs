//! What a client may change of a job, whatever its state: nothing that its making depends on.

use trellis_core::{AssetName, EventKind};

use crate::Thumbnail;

/// A change.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// Its name.
    Name(AssetName),
    /// Its small picture, in the place of an earlier one.
    Thumbnail(Thumbnail),
    /// What was sampled for it is kept no longer. Not asked for by clients.
    DropLatents,
}

impl Edit {
    /// What followers are told of it: a name. Pictures they look at themselves.
    pub(super) fn told(&self) -> Option<EventKind> {
        match self {
            Self::Name(name) => Some(EventKind::Renamed { name: name.clone() }),
            Self::Thumbnail(_) | Self::DropLatents => None,
        }
    }
}
