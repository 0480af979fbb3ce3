//! `trellis model fetch`.

use std::path::PathBuf;

use clap::ArgAction;
use serde::Serialize;
use trellis_core::{Model, file_size};
use trellis_model_fetch::{
    EncoderSource, ExtraSources, FetchError, Fetched, FetchedFile, Hub, Layout, Planned, Request, Settings,
    Source, check_room, fetch_extras, prepare,
};
use trellis_models::lock::{Lock, lock_path};
use trellis_models::{Located, Snapshot};
use trellis_pins::Pins;

use super::bars::Bars;
use super::{Machine, made, print, print_json, render};
use crate::error::CliError;
use crate::exit::Exit;
use crate::signals;

/// Download a model and what it needs, verify it and lock it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trellis model fetch
  trellis model fetch microsoft/TRELLIS-image-large --to /srv/models/trellis
  trellis model fetch trellis2-4b --to /srv/models/trellis2

Files are listed with their sizes and licences before the download, which is refused if the disk has no room. \
TRELLIS.2's folder is assembled from several repositories, so it needs --to; its DINOv3 is made from timm's file, \
which needs no account.

Files downloaded before are verified, not fetched again; a download that was cut off resumes where it \
stopped. Environment variables that count: HF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH, HF_HOME, HF_HUB_CACHE, \
HF_HUB_OFFLINE, TORCH_HOME, U2NET_HOME, and the proxy variables.")]
pub(super) struct FetchArgs {
    /// The repository, or trellis-image-large or trellis2-4b; default: trellis-image-large
    repo: Option<String>,

    /// Commit, branch or tag; default: the pinned commit of the pinned repository, else main
    #[arg(long)]
    revision: Option<String>,

    /// Put the files into this folder instead of the hub cache
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,

    /// The hub or a mirror of it; default: $HF_ENDPOINT, else huggingface.co
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,

    /// Every file of the repository, not only what inference reads
    #[arg(long)]
    everything: bool,

    /// Also DINOv2's code and weights and rembg's u2net; --extras=false leaves them out
    #[arg(long, default_value_t = true, default_missing_value = "true", num_args = 0..=1, require_equals = true,
        action = ArgAction::Set)]
    extras: bool,

    /// Take the extras from here: URL/dinov2.tar.gz, URL/dinov2_….pth, URL/u2net.onnx
    #[arg(long, value_name = "URL")]
    extras_from: Option<String>,

    /// Print JSON instead
    #[arg(long)]
    pub(super) json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Outcome<'a> {
    #[serde(flatten)]
    model: &'a Fetched,
    extras: &'a [FetchedFile],
    lock: PathBuf,
}

pub(super) fn run(args: &FetchArgs, machine: &Machine<'_>) -> Result<Exit, CliError> {
    let bars = Bars::new(args.json);
    let (fetched, extras) = block_on(download(args, machine, &bars))?;
    let located = located(args, &fetched);
    let lock = lock(&located, &fetched, machine, args.json)?;
    if args.json {
        print_json(&Outcome {
            model: &fetched,
            extras: &extras,
            lock: lock.clone(),
        })?;
    } else {
        print(&format!("{}\n", fetched.folder.display()))?;
        bars.line(&format!("locked in {}", lock.display()));
    }
    for name in &fetched.missing {
        bars.line(&format!(
            "✗ checkpoint `{name}` is named in pipeline.json, but {} does not have it",
            fetched.repo
        ));
    }
    Ok(Exit::done_if(fetched.missing.is_empty()))
}

async fn download(
    args: &FetchArgs,
    machine: &Machine<'_>,
    bars: &Bars,
) -> Result<(Fetched, Vec<FetchedFile>), FetchError> {
    let hub = Hub::new(settings(machine, args.endpoint.as_deref())?)?;
    let layout = match &args.to {
        Some(folder) => Layout::Folder(folder.clone()),
        None => Layout::Cache(machine.places.hub_cache.clone()),
    };
    let Source { repo, revision } = Source::or_pinned(args.repo.as_deref(), args.revision.as_deref());
    let request = Request {
        repo,
        revision,
        everything: args.everything,
        layout,
        encoder: EncoderSource::published(),
    };
    // Known before anything is put into the cache.
    let trellis2 = &Pins::embedded().models.folders[Model::Trellis2.name()];
    if args.to.is_none() && request.repo == trellis2.repository {
        return Err(FetchError::FolderNeeded { repo: request.repo });
    }
    bars.line(&format!(
        "{} at {}",
        request.repo,
        render::short(&request.revision)
    ));
    let prepared = prepare(&hub, request, bars).await?;
    let pipeline = prepared.pipeline();
    let extras = if args.extras {
        pipeline.extras(&machine.places)
    } else {
        Vec::new()
    };
    let mut sources = ExtraSources::published(pipeline.dinov2())?;
    if let Some(base) = &args.extras_from {
        sources = sources.mirrored(base)?;
    }
    let mut planned = prepared.planned();
    planned.extend(sources.planned(&extras));
    for line in lines(&planned) {
        bars.line(&line);
    }
    check_room(&planned)?;
    let fetched = prepared.fetch(&hub, bars).await?;
    let extras = fetch_extras(&hub, &extras, &sources, &machine.places, bars).await?;
    Ok((fetched, extras))
}

/// What will be fetched, for people: where from, how much, and under which licence.
fn lines(planned: &[Planned]) -> Vec<String> {
    let of = |part: &Planned| {
        let licence = part.licence.as_deref().unwrap_or("licence not known here");
        let files = render::count(part.files, "file");
        format!("  {}: {files}, {}, {licence}", part.from, file_size(part.bytes))
    };
    let bytes = planned.iter().map(|part| part.bytes).sum();
    let left = planned.iter().map(|part| part.left).sum();
    let mut lines: Vec<String> = planned.iter().map(of).collect();
    lines.push(format!(
        "{} in all, {} of disk still to take",
        file_size(bytes),
        file_size(left)
    ));
    lines
}

/// The hub that options and environment name.
pub(super) fn settings(machine: &Machine<'_>, endpoint: Option<&str>) -> Result<Settings, FetchError> {
    let get = |name: &str| machine.context.environment.get(name).map(Into::into);
    Settings::from_env(get, endpoint, &machine.places)
}

/// Runs a download to its end, or to the first signal.
pub(super) fn block_on<T, E>(work: impl Future<Output = Result<T, E>>) -> Result<T, CliError>
where
    CliError: From<E>,
{
    let runtime = crate::runtime()?;
    runtime.block_on(async {
        let said = "stopping; run the same command again to resume";
        let stopping = signals::first_signal(said)?;
        tokio::select! {
            outcome = work => Ok(outcome?),
            () = stopping.cancelled() => Err(CliError::interrupted("run the same command again to resume")),
        }
    })
}

fn located(args: &FetchArgs, fetched: &Fetched) -> Located {
    let snapshot = args.to.is_none().then(|| Snapshot {
        repo: fetched.repo.clone(),
        revision: fetched.revision.clone(),
        folder: fetched.folder.clone(),
    });
    Located {
        folder: fetched.folder.clone(),
        snapshot,
    }
}

/// Writes the lock, unless a checkpoint is missing: a lock of half a model locks nothing.
fn lock(
    located: &Located,
    fetched: &Fetched,
    machine: &Machine<'_>,
    quiet: bool,
) -> Result<PathBuf, CliError> {
    let path = lock_path(located, &machine.places);
    if !fetched.missing.is_empty() {
        return Ok(path);
    }
    let bytes = fetched.files.iter().map(|file| file.size).sum();
    let lock = Lock {
        repo: Some(fetched.repo.clone()),
        revision: Some(fetched.revision.clone()),
        ..made(located, machine, bytes, quiet)?
    };
    lock.write(&path)
        .map_err(|error| CliError::write(&path, &error))?;
    Ok(path)
}
