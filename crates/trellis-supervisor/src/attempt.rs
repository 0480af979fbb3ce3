//! One job from the backend's side: given to a worker, given again where that is worth it, then its end.
//!
//! A job whose worker was lost is retried on a new one, [`Limits::retries`] times at most. A job for which the
//! GPU's memory did not suffice is tried once more in low-VRAM mode. Every other failure is the job's own.

use std::path::{Path, PathBuf};

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use trellis_backend::{
    AssetLabel, Content, Latents, Made, Output, Reporter, Request, engine_formats, open_left, with_converted,
};
use trellis_core::{Failure, FailureKind, GenerateError, Model, Params, counted, is_plain_name, plain_line};

use crate::cause::{Cause, without_paths};
use crate::limits::Limits;
use crate::meshes;
use crate::pictures;
use crate::protocol::ARTIFACTS;
use crate::ticket::{Ended, File, Finished, Left, Task, Ticket, Update};

/// More than the latents of any job: a grid of 64³ places of 8 numbers takes 13 MB, and as much the 49,152 places of 64 numbers
/// that TRELLIS.2 has at most by default. Those of a job that allows more places by far are not kept.
const MOST_LATENTS: u64 = 64 << 20;

/// What a person should know of the results of a model.
pub(crate) fn description(model: Model) -> &'static str {
    match model {
        Model::TrellisImageLarge => "Microsoft TRELLIS on a GPU",
        Model::Trellis2 => "Microsoft TRELLIS.2 on a GPU",
    }
}

/// What an attempt needs of the supervisor.
pub(crate) trait Workers: Sync {
    /// Puts a job into the queue.
    fn enqueue(&self, ticket: Ticket);
    /// Resolves with the reason once no worker will take a job before somebody acts.
    fn unavailable(&self) -> impl Future<Output = Failure> + Send;
}

/// Makes the asset.
pub(crate) async fn make(
    workers: &impl Workers,
    limits: &Limits,
    request: &Request,
    reporter: &dyn Reporter,
    cancel: &CancellationToken,
) -> Result<Output, GenerateError> {
    let (mut task, mut notes) = prepare(request, limits.max_pixels).await?;
    let mut lost = 0;
    for number in 1.. {
        task.out = request.scratch.join(format!("try-{number}"));
        create(&task.out).await?;
        let (ended, left) = one_try(workers, &task, reporter, cancel).await?;
        let cause = match ended {
            Ended::Done(finished) => {
                let output = output(&task, left, finished, notes).await?;
                return Ok(with_converted(output, &request.params, label(request)).await?);
            }
            Ended::Cancelled => return Err(GenerateError::Cancelled),
            Ended::Failed(report) if report.kind == FailureKind::GpuOutOfMemory && !task.low_vram => {
                info!(job = %task.job, message = report.message, "retried in low-VRAM mode");
                task.low_vram = true;
                notes.push("made in low-VRAM mode, because the GPU ran out of memory before".to_owned());
                continue;
            }
            Ended::Failed(report) => {
                return Err(Failure::new(report.kind, without_paths(&report.message)).into());
            }
            // Such as one that did not stop in time.
            Ended::Lost(_) if cancel.is_cancelled() => return Err(GenerateError::Cancelled),
            Ended::Lost(cause) => cause,
        };
        lost += 1;
        if lost > limits.retries {
            return Err(given_up(&cause, lost).into());
        }
        warn!(job = %task.job, %cause, "retrying the job on a new worker");
        notes.push(format!("tried again, because {}", cause.failure().message));
    }
    unreachable!("the loop above ends by returning")
}

/// What a file made from its GLB says of itself.
fn label(request: &Request) -> AssetLabel {
    AssetLabel {
        name: request.name.to_string(),
        about: description(request.params.model.model()),
    }
}

/// What a worker left of one try.
#[derive(Debug, Default)]
struct Results {
    files: Vec<File>,
    latents: Option<Left>,
}

async fn one_try(
    workers: &impl Workers,
    task: &Task,
    reporter: &dyn Reporter,
    cancel: &CancellationToken,
) -> Result<(Ended, Results), Failure> {
    let (updates, mut heard) = mpsc::unbounded_channel();
    workers.enqueue(Ticket {
        task: task.clone(),
        updates,
        cancel: cancel.clone(),
    });
    let mut left = Results::default();
    let mut left_out: u64 = 0;
    let mut taken = false;
    loop {
        let update = tokio::select! {
            biased;
            update = heard.recv() => update,
            // A job that no worker has yet need not wait to be heard of.
            () = cancel.cancelled(), if !taken => Some(Update::Ended(Ended::Cancelled)),
            failure = workers.unavailable(), if !taken => return Err(failure),
        };
        match update {
            Some(Update::Taken) => taken = true,
            Some(Update::Progress(progress)) => reporter.progress(progress),
            Some(Update::File(file)) if left.files.len() < ARTIFACTS => left.files.push(file),
            Some(Update::Latents(latents)) => left.latents = Some(latents),
            Some(Update::File(_)) => left_out += 1,
            Some(Update::Ended(Ended::Done(_))) if left_out > 0 => return Err(too_many(left_out)),
            Some(Update::Ended(ended)) => return Ok((ended, left)),
            None => return Ok((Ended::Lost(Cause::NotReady), left)),
        }
    }
}

fn too_many(left_out: u64) -> Failure {
    let reported = counted(ARTIFACTS as u64 + left_out, "file", "files");
    let message = format!("the worker reported {reported}; the limit is {ARTIFACTS}");
    Failure::new(FailureKind::Internal, message)
}

fn given_up(cause: &Cause, times: u32) -> Failure {
    let failure = cause.failure();
    Failure {
        message: format!("{}, {times} times in a row", failure.message),
        ..failure
    }
}

/// Writes the pictures and the mesh for the workers; with what a person should know of them.
async fn prepare(request: &Request, max_pixels: u64) -> Result<(Task, Vec<String>), Failure> {
    let folder = request.scratch.join("pictures");
    let written = pictures::write(request.pictures.clone(), folder, max_pixels).await?;
    // A worker makes neither OBJ nor voxels: they are made here, from its GLB.
    let params = Params {
        formats: engine_formats(&request.params.formats),
        ..request.params.clone()
    };
    let latents = match &request.latents {
        Latents::Of(bytes) => {
            let path = request.scratch.join("latents.safetensors");
            let written = tokio::fs::write(&path, bytes).await;
            written.map_err(|error| pictures::cannot_write(&error))?;
            Some(path)
        }
        Latents::Forget | Latents::Keep => None,
    };
    let mesh = match &request.mesh {
        Some(mesh) => {
            let path = request.scratch.join(meshes::NAME);
            meshes::write(mesh.clone(), path.clone()).await?;
            Some(path)
        }
        None => None,
    };
    let task = Task {
        job: request.job,
        pictures: written.paths,
        out: PathBuf::new(),
        params,
        traceparent: request.traceparent,
        low_vram: false,
        latents,
        keep_latents: matches!(request.latents, Latents::Keep),
        mesh,
    };
    Ok((task, written.notes))
}

async fn create(folder: &Path) -> Result<(), Failure> {
    tokio::fs::create_dir_all(folder)
        .await
        .map_err(|error| pictures::cannot_write(&error))
}

/// The worker's files, each held against what it said of them.
async fn output(
    task: &Task,
    left: Results,
    finished: Finished,
    mut notes: Vec<String>,
) -> Result<Output, Failure> {
    let folder = task.out.clone();
    let keep = task.keep_latents;
    let made = spawn_blocking(move || {
        let made: Result<Vec<Made>, Failure> =
            left.files.into_iter().map(|file| made(&folder, file)).collect();
        let latents = left
            .latents
            .filter(|latents| keep && latents.size_bytes <= MOST_LATENTS);
        let latents = latents.map(|latents| held(&folder, &latents)).transpose()?;
        Ok::<_, Failure>((made?, latents))
    });
    let (made, latents) = made
        .await
        .map_err(|_| Failure::new(FailureKind::Internal, "looking at the worker's files crashed"))??;
    let stages: Vec<String> = finished
        .timings
        .stages
        .iter()
        .map(|time| format!("{} {} ms", time.stage, time.ms))
        .collect();
    info!(
        stages = stages.join(", "),
        peak_vram_bytes = finished.timings.peak_vram_bytes,
        "worker_job_done"
    );
    if finished.low_vram && !task.low_vram {
        notes.push("made in low-VRAM mode".to_owned());
    }
    notes.extend(finished.notes.iter().map(|note| without_paths(note)));
    Ok(Output {
        files: made,
        notes,
        timings: finished.timings,
        made_with: finished.made_with,
        latents,
    })
}

fn made(folder: &Path, file: File) -> Result<Made, Failure> {
    let left = Left {
        name: file.name,
        size_bytes: file.size_bytes,
    };
    let path = held(folder, &left)?;
    Ok(Made {
        name: left.name,
        format: file.format,
        content: Content::File(path),
    })
}

/// A file as the worker reported it, if it is one.
fn held(folder: &Path, file: &Left) -> Result<PathBuf, Failure> {
    let mismatch = |why: &str| {
        let name = plain_line(&without_paths(&file.name), 100);
        let message = format!("the worker reported a file that does not match: `{name}` {why}");
        Failure::new(FailureKind::Internal, message)
    };
    if !is_plain_name(&file.name) {
        return Err(mismatch("is not a plain name"));
    }
    let path = folder.join(&file.name);
    let (_, size_bytes) = open_left(folder, &path)?;
    if size_bytes != file.size_bytes {
        let said = file.size_bytes;
        return Err(mismatch(&format!("has {size_bytes} bytes, not {said}")));
    }
    Ok(path)
}

#[cfg(test)]
mod tests;
