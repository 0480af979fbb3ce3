//! `trellis jobs export`: another file of an earlier job on a running server, from its GLB or from what was sampled for it.

use std::path::{Path, PathBuf};

use serde_json::json;
use tokio_util::sync::CancellationToken;
use trellis_backend::Content;
use trellis_client::{Client, Export};
use trellis_core::{Artifact, Format, Job, JobId, JobState, Priority, TextureFormat, file_size};

use crate::commands::generate::asset::interrupted;
use crate::commands::generate::write::{Written, unwritable, write};
use crate::commands::generate::{format_named, priority_help};
use crate::commands::reach::ReachArgs;
use crate::commands::{Context, print, print_json};
use crate::error::CliError;
use crate::exit::Exit;
use crate::{block_on, output, signals};

/// Make another file from an earlier job
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The server converts the GLB of a job that succeeded: no GPU is needed, and nothing is generated again. A GLB with a \
different texture or simplification, splats and videos are decoded by TRELLIS from what it sampled, in seconds. Either \
way the export is a job of its own, which outlives the earlier one. An OBJ comes as a zip with its material and texture.

Exit codes: 0 done, 1 refused or failed, 2 could not start.")]
pub(crate) struct ExportArgs {
    /// The earlier job's id
    job: JobId,
    /// Which file: obj, voxels, stl or ply from the GLB; glb, gaussian_ply, turntable or vxz from what TRELLIS sampled for
    /// the job, while the server keeps that
    #[arg(long, value_name = "FORMAT", value_parser = format_named)]
    format: Format,
    /// Side of the texture in pixels: 512, 1024, 1536 or 2048, for trellis2-4b 1024, 2048, 3072 or 4096; made from what was
    /// sampled; default: as in the job
    #[arg(long, value_name = "PIXELS")]
    texture_size: Option<u32>,
    /// How a GLB holds its textures, png or webp, for trellis2-4b; made from what was sampled; default: as in the job
    #[arg(long, value_name = "FORMAT")]
    texture_format: Option<TextureFormat>,
    /// Share of the triangles to remove, 0 to 0.98, for trellis-image-large; made from what was sampled; default: as in the
    /// job
    #[arg(long, value_name = "SHARE")]
    mesh_simplify: Option<f64>,
    /// Most triangles, 100000 to 1000000, for trellis2-4b; made from what was sampled; default: as in the job
    #[arg(long, value_name = "N")]
    decimation_target: Option<u32>,
    /// Whether the surface is rebuilt before its triangles are reduced, for trellis2-4b; made from what was sampled;
    /// default: as in the job
    #[arg(long, value_name = "BOOL")]
    remesh: Option<bool>,
    /// Whether the mesh gets a texture; made from what was sampled; default: as in the job
    #[arg(long, value_name = "BOOL")]
    texture: Option<bool>,
    /// For voxels: how many along the longest side, 16 to 256; default: 64
    #[arg(long, value_name = "N")]
    voxel_resolution: Option<u32>,
    /// For an STL: the longest side in millimetres, 1 to 10000; default: 100
    #[arg(long, value_name = "MM")]
    stl_size_mm: Option<f64>,
    #[arg(long, value_name = "NAME", help = priority_help())]
    priority: Option<Priority>,
    /// Where to write it; default: here, under the job's name
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print JSON instead
    #[arg(long)]
    pub(super) json: bool,

    #[command(flatten)]
    reach: ReachArgs,
}

pub(super) fn run(args: ExportArgs, context: &Context<'_>) -> Result<Exit, CliError> {
    let client = args.reach.client(context)?;
    let wish = Export {
        format: args.format,
        texture_size: args.texture_size,
        texture_format: args.texture_format,
        mesh_simplify: args.mesh_simplify,
        decimation_target: args.decimation_target,
        remesh: args.remesh,
        texture: args.texture,
        voxel_resolution: args.voxel_resolution,
        stl_size_mm: args.stl_size_mm,
        priority: args.priority,
    };
    block_on(async {
        let stopping =
            signals::first_signal("stopping: the export is cancelled; a second signal ends at once")?;
        let job = ended(&client, args.job, &wish, &stopping).await?;
        let artifact = artifact_of(&job, args.format)?;
        let path = args.output.unwrap_or_else(|| named(&job, artifact));
        let written = fetch(&client, &job, artifact, &path).await?;
        if args.json {
            return print_json(&json!({
                "job": job.id, "source": args.job, "format": args.format, "path": path, "cached": job.cached,
                "size_bytes": written.size_bytes, "sha256": written.sha256, "replaced": written.replaced,
                "notes": job.notes,
            }));
        }
        for note in &job.notes {
            output::write_stderr(&format!("note: {note}\n"));
        }
        let replaced = if written.replaced { ", replaced" } else { "" };
        let size = file_size(written.size_bytes);
        print(&format!("{} ({size}{replaced})\n", path.display()))
    })
}

/// The new job once it has ended; cancelled where nobody waits for it any more.
async fn ended(
    client: &Client,
    of: JobId,
    wish: &Export,
    stopping: &CancellationToken,
) -> Result<Job, CliError> {
    let waiting = |problem: &trellis_client::ServerProblem| {
        output::write_stderr(&format!("{}, waiting\n", problem.message));
    };
    let submitted = tokio::select! {
        job = client.export(of, wish, waiting) => job?,
        () = stopping.cancelled() => return Err(interrupted()),
    };
    tokio::select! {
        job = client.wait(submitted.id) => Ok(job?),
        () = stopping.cancelled() => {
            // A server that is gone needs no telling.
            let _ = client.cancel(submitted.id).await;
            Err(interrupted())
        }
    }
}

/// The file that was asked for, or why there is none.
fn artifact_of(job: &Job, format: Format) -> Result<&Artifact, CliError> {
    match (job.state, &job.failure) {
        (JobState::Succeeded, _) => {}
        (_, Some(failure)) => return Err(failure.clone().into()),
        (state, None) => {
            let message = format!("the export was {state} on the server");
            return Err(CliError::new(state.name(), Exit::Failed, message).hint("ask for it again"));
        }
    }
    let found = job
        .artifacts
        .iter()
        .find(|artifact| artifact.format == format && !artifact.preview);
    found.ok_or_else(|| {
        CliError::not_understood(format!("job `{}` has no file of the format {format}", job.id))
    })
}

/// Named as the job is, with the file's endings: `chair.obj.zip` for `model.obj.zip`.
fn named(job: &Job, artifact: &Artifact) -> PathBuf {
    let name = job.name.as_ref().map_or("model", |name| name.as_str());
    let endings = artifact
        .name
        .split_once('.')
        .map_or(artifact.format.extension(), |(_, endings)| endings);
    PathBuf::from(format!("{name}.{endings}"))
}

async fn fetch(client: &Client, job: &Job, artifact: &Artifact, path: &Path) -> Result<Written, CliError> {
    let scratch = tempfile::tempdir().map_err(|error| unwritable(&std::env::temp_dir(), &error))?;
    let place = scratch.path().join("file");
    client.download(job.id, artifact, &place).await?;
    write(&Content::File(place), path).map_err(|error| unwritable(path, &error))
}
