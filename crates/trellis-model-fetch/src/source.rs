//! Where a model's files come from: what is named, where a folder came from, or what is pinned.

use trellis_core::Model;
use trellis_models::lock::{Lock, lock_path};
use trellis_models::{Located, Places};
use trellis_pins::Pins;

/// A repository at a commit, branch or tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// `ORG/NAME`.
    pub repo: String,
    /// The commit, branch or tag.
    pub revision: String,
}

impl Source {
    /// What is named, a repository or a model; by default the usual model. Of a pinned repository the pinned commit, of
    /// others `main`.
    pub fn or_pinned(repo: Option<&str>, revision: Option<&str>) -> Self {
        let folders = &Pins::embedded().models.folders;
        let repo = match repo {
            // By its name in parameters.
            Some(name) => folders.get(name).map_or(name, |folder| &folder.repository),
            None => &folders[Model::DEFAULT.name()].repository,
        };
        let pinned = folders.values().find(|folder| folder.repository == repo);
        let default = pinned.map_or("main", |folder| &folder.revision);
        Self {
            repo: repo.to_owned(),
            revision: revision.unwrap_or(default).to_owned(),
        }
    }

    /// Where a folder's missing files come from: what is named, else where the folder itself came from.
    pub fn of_folder(located: &Located, places: &Places, repo: Option<&str>, revision: Option<&str>) -> Self {
        let (from, at) = match &located.snapshot {
            Some(snapshot) => (Some(snapshot.repo.clone()), Some(snapshot.revision.clone())),
            None => Lock::read(&lock_path(located, places))
                .map_or((None, None), |lock| (lock.repo, lock.revision)),
        };
        // A revision belongs to its repository: another repository has its own.
        let at = at.filter(|_| repo.is_none() || repo == from.as_deref());
        Self::or_pinned(repo.or(from.as_deref()), revision.or(at.as_deref()))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use trellis_models::Snapshot;

    use super::*;

    #[test]
    fn a_revision_belongs_to_its_repository() {
        let places = Places::from_env(|_| None);
        let located = Located {
            folder: PathBuf::from("/nowhere"),
            snapshot: Some(Snapshot {
                repo: "ada/model".to_owned(),
                revision: "abc".to_owned(),
                folder: PathBuf::from("/nowhere"),
            }),
        };
        let of = |repo, revision| {
            let source = Source::of_folder(&located, &places, repo, revision);
            format!("{}@{}", source.repo, source.revision)
        };
        assert_eq!(of(None, None), "ada/model@abc");
        assert_eq!(of(Some("ada/model"), None), "ada/model@abc");
        assert_eq!(of(Some("bob/other"), None), "bob/other@main");
        assert_eq!(of(Some("bob/other"), Some("v1")), "bob/other@v1");
        let second = Source::or_pinned(Some("trellis2-4b"), None);
        assert_eq!(second.repo, "microsoft/TRELLIS.2-4B");
        assert_eq!(second.revision.len(), 40);
        assert_eq!(Source::or_pinned(Some(&second.repo), None), second);
        let pinned = &Pins::embedded().models.folders[Model::DEFAULT.name()];
        let without = Source::or_pinned(None, None);
        assert_eq!(
            (&without.repo, &without.revision),
            (&pinned.repository, &pinned.revision)
        );
    }
}
