//! Whose a job is.

use std::sync::Arc;

/// The owner of a job: the name of an API key, or nobody in particular, the default, where a server has
/// no keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Owner(Arc<str>);

impl Owner {
    /// The owner that an API key names.
    pub fn named(name: &str) -> Self {
        Self(name.into())
    }

    /// The name as it is stored; empty for nobody in particular.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names of all owners whose jobs this one sees: its own, and nobody's. Jobs of the time before a
    /// server had keys were open to everyone and stay so.
    pub fn visible(&self) -> [&str; 2] {
        [&self.0, ""]
    }

    /// Whether this owner may see and end a job of `other`.
    pub fn sees(&self, other: &Self) -> bool {
        self.visible().contains(&other.as_str())
    }
}
