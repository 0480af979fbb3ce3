//! Works through the tasks, several at a time; one that fails does not stop the others.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bytes::Bytes;
use futures::StreamExt as _;
use tokio::io::AsyncReadExt as _;
use tokio_util::sync::CancellationToken;
use trellis_backend::{Content, Piece};
use trellis_core::ParamsPatch;

use super::asset::{Done, OfServer, Order, WrittenFile, interrupted};
use super::engine::Engine;
use super::plan::{Target, Task, object_of};
use super::report::{self, Line};
use super::show::{JobShow, Show};
use super::write;
use crate::error::CliError;
use crate::exit::Exit;

/// What all tasks share.
pub(crate) struct Work<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) show: &'a Show,
    pub(crate) patch: &'a ParamsPatch,
    /// The mesh that is to be textured.
    pub(crate) mesh: Option<&'a Path>,
    /// The largest file taken.
    pub(crate) max_bytes: u64,
    /// Whether results are printed as JSON.
    pub(crate) json: bool,
    /// What is asked of a server alone.
    pub(crate) of_server: OfServer,
    /// Whether there are several tasks, so that each failure is also told when it happens.
    pub(crate) batch: bool,
    pub(crate) stopping: CancellationToken,
}

impl Work<'_> {
    /// Makes all and returns what failed, in the tasks' order.
    pub(crate) async fn all(&self, tasks: &[Task]) -> Vec<(String, CliError)> {
        let running = futures::stream::iter(tasks.iter().enumerate())
            .map(|(index, task)| async move { (index, self.one(task).await) })
            .buffer_unordered(self.engine.at_a_time());
        let mut failed: Vec<(usize, CliError)> = running
            .filter_map(|(index, done)| async move { done.err().map(|error| (index, error)) })
            .collect()
            .await;
        failed.sort_by_key(|(index, _)| *index);
        failed
            .into_iter()
            .map(|(index, error)| (tasks[index].name.clone(), error))
            .collect()
    }

    async fn one(&self, task: &Task) -> Result<(), CliError> {
        let started = Instant::now();
        let show = self.show.job(&task.name);
        let made = self.make(task, &show).await;
        let line = match &made {
            Ok(done) => Line::succeeded(task, done, started.elapsed()),
            Err(error) => Line::failed(task, error, started.elapsed()),
        };
        if self.json {
            self.show.result(&line.to_json());
        }
        match made {
            Ok(Done {
                asset,
                files,
                statement,
            }) => {
                for note in &asset.notes {
                    show.note(&format!("note: {note}"));
                }
                for file in &files {
                    show.note(&report::written(file, &asset, started.elapsed()));
                    if !self.json {
                        self.show.path(&file.path);
                    }
                }
                if let Some(line) = asset.timings.as_ref().and_then(report::timings) {
                    show.note(&line);
                }
                if let (Some(path), Some(stated)) = (&statement, &asset.stated) {
                    show.note(&report::stated(path, stated.signed_by.as_deref()));
                }
                Ok(())
            }
            Err(error) => {
                if self.batch {
                    show.note(&format!("failed: {}", error.sentence()));
                }
                Err(error)
            }
        }
    }

    async fn make(&self, task: &Task, show: &JobShow<'_>) -> Result<Done, CliError> {
        if self.stopping.is_cancelled() {
            return Err(interrupted());
        }
        let order = Order {
            pictures: self.read(&task.pictures).await?,
            mesh: match self.mesh {
                Some(mesh) => Some(self.read_one(mesh).await?),
                None => None,
            },
            mesh_name: self.mesh.and_then(object_of),
            name: task.object(),
            patch: self.patch.clone(),
            names: task.targets.iter().map(Target::named).collect(),
            of_server: self.of_server,
        };
        let asset = self.engine.make(&order, show, &self.stopping).await?;
        let mut files = Vec::new();
        for target in &task.targets {
            let of_it = |piece: &&Piece| piece.format == target.format;
            let mut written = Vec::new();
            // The one that is named comes last: whoever sees it finds what it needs.
            for piece in asset.files.iter().filter(of_it).rev() {
                let path = target.path.with_file_name(&piece.name);
                written.push(WrittenFile {
                    format: target.format,
                    written: put(piece.content.clone(), path.clone()).await?,
                    path,
                });
            }
            files.extend(written.into_iter().rev());
        }
        let mut statement = None;
        if let (Some(stated), Some(target)) = (&asset.stated, task.targets.first()) {
            let path = target.beside(&stated.ending);
            put(Content::Bytes(stated.bytes.clone()), path.clone()).await?;
            statement = Some(path);
        }
        Ok(Done {
            asset,
            files,
            statement,
        })
    }

    async fn read(&self, paths: &[PathBuf]) -> Result<Vec<Bytes>, CliError> {
        let mut pictures = Vec::new();
        for path in paths {
            pictures.push(self.read_one(path).await?);
        }
        Ok(pictures)
    }

    async fn read_one(&self, path: &Path) -> Result<Bytes, CliError> {
        let unreadable = |error: io::Error| CliError::unreadable(path, &error);
        let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
        let size = file.metadata().await.map_err(unreadable)?.len();
        let mut bytes = Vec::new();
        // A device or a pipe has no size and may have no end.
        let read = file.take(self.max_bytes + 1).read_to_end(&mut bytes).await;
        let size = size.max(read.map_err(unreadable)? as u64);
        if size > self.max_bytes {
            return Err(too_large(path, size, self.max_bytes));
        }
        Ok(bytes.into())
    }
}

async fn put(content: Content, path: PathBuf) -> Result<write::Written, CliError> {
    let place = path.clone();
    let written = tokio::task::spawn_blocking(move || write::write(&content, &place)).await;
    written
        .unwrap_or_else(|panic| Err(panic.into()))
        .map_err(|error| write::unwritable(&path, &error))
}

/// A file beyond the limit.
fn too_large(path: &Path, size_bytes: u64, limit_bytes: u64) -> CliError {
    let message = format!(
        "`{}` has {size_bytes} bytes; the limit is {limit_bytes}",
        path.display()
    );
    CliError::new("body_too_large", Exit::Failed, message)
        .hint("make the file smaller, or raise `limits.body_bytes`")
}
