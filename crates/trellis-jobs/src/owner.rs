//! Whose a job is, and who asks.

use std::sync::Arc;

/// The owner of a job: the name of an API key, or nobody in particular, the default, where a server has
/// no keys. Where it is who asks, it comes with what it may do besides.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Owner {
    name: Arc<str>,
    rights: Rights,
}

/// What an owner may do. A stored job's owner has the default: no more than its own, and that without limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Rights {
    /// Whether it sees and ends the jobs of all owners.
    pub sees_all: bool,
    /// How many of its jobs may wait at a time; `None`: as many as of all owners together.
    pub queued: Option<u64>,
    /// How many bytes its jobs may keep: pictures, files and statements; `None`: no limit of its own.
    pub kept_bytes: Option<u64>,
}

impl Owner {
    /// The owner that an API key names.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.into(),
            rights: Rights::default(),
        }
    }

    /// The same, with these rights.
    #[must_use]
    pub fn with(self, rights: Rights) -> Self {
        Self { rights, ..self }
    }

    /// The name as it is stored; empty for nobody in particular.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// What it may do.
    pub fn rights(&self) -> Rights {
        self.rights
    }

    /// The names of all owners whose jobs this one sees without the right to see all: its own, and nobody's. Jobs of
    /// the time before a server had keys were open to everyone and stay so.
    pub fn visible(&self) -> [&str; 2] {
        [&self.name, ""]
    }

    /// Whether this owner may see and end a job of `other`.
    pub fn sees(&self, other: &Self) -> bool {
        self.rights.sees_all || self.visible().contains(&other.as_str())
    }

    /// The name as `by` is told it: whoever sees the jobs of all owners is told whose each is.
    pub(crate) fn name_for(&self, by: &Self) -> Option<String> {
        (by.rights.sees_all && !self.name.is_empty()).then(|| self.name.to_string())
    }
}
