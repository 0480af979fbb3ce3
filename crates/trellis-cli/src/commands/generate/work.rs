//! Works through the tasks, several at a time; one that fails does not stop the others.

use std::path::PathBuf;
use std::time::Instant;

use bytes::Bytes;
use futures::StreamExt as _;
use tokio::io::AsyncReadExt as _;
use tokio_util::sync::CancellationToken;
use trellis_backend::Content;
use trellis_core::ParamsPatch;

use super::engine::{Asset, Engine, Order};
use super::plan::Task;
use super::report::{self, Line, WrittenFile};
use super::show::{JobShow, Show};
use super::trouble::Trouble;
use super::write;

/// What all tasks share.
pub(crate) struct Work<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) show: &'a Show,
    pub(crate) patch: &'a ParamsPatch,
    /// The largest picture file taken.
    pub(crate) max_bytes: u64,
    /// Whether results are printed as JSON.
    pub(crate) json: bool,
    /// Whether there are several tasks, so that each failure is also told when it happens.
    pub(crate) batch: bool,
    pub(crate) stopping: CancellationToken,
}

impl Work<'_> {
    /// Makes all and returns what failed, in the tasks' order.
    pub(crate) async fn all(&self, tasks: &[Task]) -> Vec<(String, Trouble)> {
        let running = futures::stream::iter(tasks.iter().enumerate())
            .map(|(index, task)| async move { (index, self.one(task).await) })
            .buffer_unordered(self.engine.at_a_time());
        let mut failed: Vec<(usize, Trouble)> = running
            .filter_map(|(index, done)| async move { done.err().map(|trouble| (index, trouble)) })
            .collect()
            .await;
        failed.sort_by_key(|(index, _)| *index);
        failed
            .into_iter()
            .map(|(index, trouble)| (tasks[index].name.clone(), trouble))
            .collect()
    }

    async fn one(&self, task: &Task) -> Result<(), Trouble> {
        let started = Instant::now();
        let show = self.show.job(&task.name);
        let made = self.make(task, &show).await;
        let line = match &made {
            Ok((asset, files)) => Line::succeeded(task, asset, files, started.elapsed()),
            Err(trouble) => Line::failed(task, trouble, started.elapsed()),
        };
        if self.json {
            self.show.result(&line.to_json());
        }
        match made {
            Ok((asset, files)) => {
                for note in &asset.notes {
                    show.note(&format!("note: {note}"));
                }
                for file in &files {
                    show.note(&report::written(file, &asset.made_by, started.elapsed()));
                    if !self.json {
                        self.show.path(&file.path);
                    }
                }
                Ok(())
            }
            Err(trouble) => {
                if self.batch {
                    show.note(&format!("failed: {}", trouble.message));
                }
                Err(trouble)
            }
        }
    }

    async fn make(&self, task: &Task, show: &JobShow<'_>) -> Result<(Asset, Vec<WrittenFile>), Trouble> {
        if self.stopping.is_cancelled() {
            return Err(Trouble::interrupted());
        }
        let order = Order {
            pictures: self.read(&task.pictures).await?,
            patch: self.patch.clone(),
        };
        let asset = self.engine.make(&order, show, &self.stopping).await?;
        let mut files = Vec::new();
        for target in &task.targets {
            let found = asset.files.iter().find(|(format, _)| *format == target.format);
            let content = found.map(|(_, content)| content.clone());
            let content = content.expect("an engine returns a file for each format asked for");
            files.push(WrittenFile {
                path: target.path.clone(),
                format: target.format,
                written: put(content, target.path.clone()).await?,
            });
        }
        Ok((asset, files))
    }

    async fn read(&self, paths: &[PathBuf]) -> Result<Vec<Bytes>, Trouble> {
        let mut pictures = Vec::new();
        for path in paths {
            let unreadable = |error| Trouble::unreadable(path, &error);
            let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
            let size = file.metadata().await.map_err(unreadable)?.len();
            let mut bytes = Vec::new();
            // A device or a pipe has no size and may have no end.
            let read = file.take(self.max_bytes + 1).read_to_end(&mut bytes).await;
            let size = size.max(read.map_err(unreadable)? as u64);
            if size > self.max_bytes {
                return Err(Trouble::too_large(path, size, self.max_bytes));
            }
            pictures.push(Bytes::from(bytes));
        }
        Ok(pictures)
    }
}

async fn put(content: Content, path: PathBuf) -> Result<write::Written, Trouble> {
    let place = path.clone();
    let written = tokio::task::spawn_blocking(move || write::write(&content, &place)).await;
    written
        .unwrap_or_else(|panic| Err(std::io::Error::other(panic)))
        .map_err(|error| Trouble::unwritable(&path, &error))
}
