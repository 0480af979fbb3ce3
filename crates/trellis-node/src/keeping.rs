//! The job database and the files of jobs: opened together, compared, and joined again by a rescue.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use tracing::{info, warn};
use trellis_jobs::{
    BlobStore, Docketed, JobStore, Kinship, Rescued, SqliteStore, SweepError, Unknown, is_elsewhere,
};
use trellis_store_postgres::PostgresStore;

use crate::blob_place::{BlobPlace, folder};
use crate::data_dir::DataDir;
use crate::{NodeError, Settings, SharedStoreError, shared_store};

/// Where jobs and their files are kept.
pub(crate) struct Kept {
    pub(crate) store: Arc<dyn JobStore>,
    pub(crate) blobs: Arc<dyn BlobStore>,
    /// The same store, where servers share it.
    pub(crate) shared: Option<PostgresStore>,
    place: BlobPlace,
}

/// Opens both.
pub(crate) async fn open(settings: &Settings, data: &DataDir) -> Result<Kept, NodeError> {
    let place = BlobPlace::named(settings)?.unwrap_or_else(|| BlobPlace::Folder(data.blobs()));
    let shared = shared_store::open(&settings.store).await?;
    let store: Arc<dyn JobStore> = match &shared {
        Some(shared) => Arc::new(shared.clone()),
        None => Arc::new(database(&data.database())?),
    };
    let kept = Kept {
        blobs: place.open(settings, data.incoming()).await?,
        store,
        shared,
        place,
    };
    let is_other = is_elsewhere(&*kept.store, &*kept.blobs).await;
    if kept.shared.is_some() && is_other.map_err(|error| unreadable(data, &kept.place, error))? {
        let place = kept.place.to_string();
        return Err(SharedStoreError::OtherBlobs { place }.into());
    }
    Ok(kept)
}

pub(crate) fn database(path: &Path) -> Result<SqliteStore, NodeError> {
    SqliteStore::open(path).map_err(|source| NodeError::Database {
        path: path.to_owned(),
        source,
    })
}

/// Says what is to become of files of jobs that the database does not know, in the log too.
pub(crate) async fn unknown(data: &DataDir, kept: &Kept) -> Result<Unknown, NodeError> {
    let Kept {
        store, blobs, place, ..
    } = kept;
    let failed = |error| unreadable(data, place, error);
    let aside = blobs.aside().await.map_err(|error| failed(error.into()))?;
    if !aside.is_empty() {
        info!(
            jobs = aside.len(),
            "files of unknown jobs wait in `blobs/lost+found`; `trellis jobs rescue` lists the jobs again"
        );
    }
    Ok(match Kinship::of(&**store, &**blobs).await.map_err(failed)? {
        Kinship::Same => Unknown::SetAside,
        Kinship::Parted { unknown } => {
            warn!(
                jobs = unknown,
                blobs = %place,
                "the job database is new or does not belong to these files: it does not know the jobs of some. They stay; \
                 to list the jobs again, stop the server and run `trellis jobs rescue`"
            );
            Unknown::Leave
        }
    })
}

/// Has every job leave a docket.
pub(crate) async fn complete(dockets: &Docketed) {
    match dockets.complete().await {
        Ok(0) => {}
        Ok(jobs) => info!(jobs, "wrote dockets that were missing"),
        Err(error) => warn!(
            error = &error as &dyn std::error::Error,
            "dockets that are missing cannot be written"
        ),
    }
}

/// Refuses a folder that is not the data folder of a server, or not this user's.
pub(crate) fn check_owner(root: &Path) -> Result<(), NodeError> {
    if !root.join("blobs").is_dir() {
        return Err(NodeError::NoBlobs {
            root: root.to_owned(),
        });
    }
    check_user(root)
}

/// Refuses the folder of another user.
pub(crate) fn check_user(root: &Path) -> Result<(), NodeError> {
    belongs_to(root, rustix::process::geteuid().as_raw())
}

/// Lists the jobs of a data folder again whose rows are lost. A dry run changes no job. No server may hold the folder.
pub async fn rescue(root: &Path, dry_run: bool) -> Result<Rescued, NodeError> {
    check_owner(root)?;
    let data = DataDir::open(root, true)?;
    // A new database is not made for a look.
    let elsewhere = if dry_run && !data.database().exists() {
        Some(tempfile::tempdir()?)
    } else {
        None
    };
    let path = elsewhere.as_ref().map(|folder| folder.path().join("jobs.sqlite"));
    let store = database(&path.unwrap_or_else(|| data.database()))?;
    let place = BlobPlace::Folder(data.blobs());
    let blobs = folder(&data.blobs())?;
    trellis_jobs::rescue(&store, &blobs, dry_run)
        .await
        .map_err(|error| unreadable(&data, &place, error))
}

/// Files that another user makes there, root for instance, would be closed to the server.
fn belongs_to(root: &Path, user: u32) -> Result<(), NodeError> {
    match fs::metadata(root) {
        Ok(about) if about.uid() != user => Err(NodeError::OtherUser {
            root: root.to_owned(),
            owner: about.uid(),
            user,
        }),
        _ => Ok(()),
    }
}

fn unreadable(data: &DataDir, place: &BlobPlace, error: SweepError) -> NodeError {
    match error {
        SweepError::Store(source) => NodeError::Database {
            path: data.database(),
            source,
        },
        SweepError::Blob(source) => NodeError::Blobs {
            place: place.to_string(),
            source,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_another_user_is_left_to_that_user() {
        let folder = tempfile::tempdir().unwrap();
        let me = fs::metadata(folder.path()).unwrap().uid();
        belongs_to(folder.path(), me).unwrap();
        let refused = belongs_to(folder.path(), me + 1).unwrap_err();
        assert_eq!(refused.kind(), "other_user");
        let advice = refused.advice();
        assert!(advice.contains(&format!("sudo -u '#{me}'")), "{advice}");
    }
}
