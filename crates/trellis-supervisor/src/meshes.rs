//! A job's mesh as the workers get it: read here, and written as bare triangles.
//!
//! So what strangers send is read by one reader only, and Python opens none of it.

use std::fs::File;
use std::path::PathBuf;

use bytes::Bytes;
use trellis_core::{Failure, FailureKind};
use trellis_mesh::{Limits, MeshError};

use crate::pictures::cannot_write;

/// What its file is called.
pub(crate) const NAME: &str = "mesh.safetensors";

/// Reads the mesh and writes it to `path`.
pub(crate) async fn write(mesh: Bytes, path: PathBuf) -> Result<(), Failure> {
    let written = tokio::task::spawn_blocking(move || {
        let (_, mesh) = trellis_mesh::read(&mesh, Limits::default()).map_err(|error| unreadable(&error))?;
        File::create(&path)
            .and_then(|file| mesh.write_safetensors(file))
            .map_err(|error| cannot_write(&error))
    });
    written
        .await
        .map_err(|_| Failure::new(FailureKind::BadInput, "the mesh cannot be read"))?
}

fn unreadable(error: &MeshError) -> Failure {
    Failure {
        fix: error.advice().to_owned(),
        ..Failure::new(FailureKind::BadInput, error.to_string())
    }
}
