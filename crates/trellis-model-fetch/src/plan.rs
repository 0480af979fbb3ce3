//! What will be fetched, told before the first byte of it: from where, how much, under which licence; and whether
//! there is room for all of it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use trellis_pins::Pins;

use crate::disk_space;
use crate::error::FetchError;
use crate::file::Digest;
use crate::partial;

/// What comes from one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Planned {
    /// A repository, or a file's name.
    pub from: String,
    /// Its files.
    pub files: usize,
    /// Their bytes in all.
    pub bytes: u64,
    /// Bytes of disk that they still take: what is in place already takes none.
    pub left: u64,
    /// The licence, where the project knows it.
    pub licence: Option<String>,
    /// The folder that they go to.
    #[serde(skip)]
    pub to: PathBuf,
}

/// The licence of a repository's weights, where the project knows it.
pub(crate) fn licence_of(repo: &str) -> Option<String> {
    let models = &Pins::embedded().models;
    let folder = models.folders.values().find(|folder| folder.repository == repo);
    let of_folder = folder.map(|folder| folder.licence.clone());
    let dinov3 = &models.dinov3;
    of_folder.or_else(|| (dinov3.repository == repo).then(|| dinov3.licence.clone()))
}

/// Bytes of disk that a file still takes where it belongs.
pub(crate) fn left(place: &Path, digest: &Digest, size: u64) -> u64 {
    if fs::metadata(place).is_ok_and(|meta| meta.len() == size) {
        return 0;
    }
    let identity = digest.text().unwrap_or_default();
    size - partial::bytes_done(place, identity, size).min(size)
}

/// Refuses what the disks have no room for, those that share one taken together.
pub fn check_room(planned: &[Planned]) -> Result<(), FetchError> {
    let mut disks: BTreeMap<Option<u64>, (&Path, u64)> = BTreeMap::new();
    for part in planned {
        let existing = part.to.ancestors().find_map(|folder| fs::metadata(folder).ok());
        let disk = disks
            .entry(existing.map(|meta| meta.dev()))
            .or_insert((&part.to, 0));
        disk.1 = disk.1.saturating_add(part.left);
    }
    disks
        .into_values()
        .try_for_each(|(folder, needed)| disk_space::check(folder, needed))
}

#[cfg(test)]
mod tests {
    use trellis_core::Explain as _;

    use super::*;

    fn part(to: &Path, left: u64) -> Planned {
        Planned {
            from: "x".to_owned(),
            files: 1,
            bytes: left,
            left,
            licence: None,
            to: to.to_owned(),
        }
    }

    #[test]
    fn parts_of_one_disk_need_room_together() {
        let folder = tempfile::tempdir().unwrap();
        let stat = rustix::fs::statvfs(folder.path()).unwrap();
        // More than a half each: either alone fits.
        let half = stat.f_bavail * stat.f_frsize / 5 * 3;
        let (one, other) = (folder.path().join("a"), folder.path().join("b/c"));
        assert!(check_room(&[part(&one, half)]).is_ok());
        let error = check_room(&[part(&one, half), part(&other, half)]).unwrap_err();
        assert_eq!(error.kind(), "disk_full");
    }

    #[test]
    fn what_is_in_place_takes_no_room() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("x");
        assert_eq!(left(&place, &Digest::Unknown, 9), 9);
        fs::write(&place, "123456789").unwrap();
        assert_eq!(left(&place, &Digest::Unknown, 9), 0);
    }

    #[test]
    fn licences_are_those_of_the_pins() {
        assert_eq!(licence_of("microsoft/TRELLIS.2-4B").unwrap(), "MIT");
        let dinov3 = licence_of("timm/vit_large_patch16_dinov3_qkvb.lvd1689m");
        assert_eq!(dinov3.unwrap(), "DINOv3 License");
        assert_eq!(licence_of("ada/mine"), None);
    }
}
