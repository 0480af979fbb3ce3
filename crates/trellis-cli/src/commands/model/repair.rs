//! `trellis model repair`.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Serialize;
use tempfile::TempDir;
use trellis_model_fetch::{Layout, Request, fetch_files};
use trellis_models::check::check;
use trellis_models::lock::{Lock, lock_path};
use trellis_models::moves;
use trellis_models::repair::{Change, Options, Plan, Remedy, Substitution, apply, plan, undo};
use trellis_models::{Located, Severity};

use super::bars::Bars;
use super::{Machine, fetch, print, print_json};
use crate::error::CliError;
use crate::exit::Exit;

/// Repair missing, damaged and misplaced files
#[derive(Debug, clap::Args)]
#[command(after_help = "\
For each checkpoint, in this order: move its files, if they are elsewhere in the folder; copy them from a \
folder given with --from or from the hub cache; download them. A hub cache is never changed: name a new folder \
with --to.

Exit codes: 0 nothing is left to repair, 1 something is, 2 could not start.")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct RepairArgs {
    /// As for `check`
    model: Option<String>,

    /// A folder or cached repository to take files from; may be given several times
    #[arg(long, value_name = "DIR")]
    from: Vec<PathBuf>,

    /// The repository to download from; default: the one that the folder came from, else the pinned one
    #[arg(long)]
    repo: Option<String>,

    /// Its commit, branch or tag
    #[arg(long)]
    revision: Option<String>,

    /// The hub or a mirror of it; default: $HF_ENDPOINT, else huggingface.co
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,

    /// Download nothing
    #[arg(long)]
    no_fetch: bool,

    /// If `slat_flow_model` cannot be restored, replace it with the sparse-structure model: the pipeline loads, but
    /// sampling fails, and `serve` refuses the folder
    #[arg(long, alias = "as-in-notes")]
    substitute_flow_model: bool,

    /// Build the repaired folder here, from links into the hub cache
    #[arg(long, value_name = "DIR", conflicts_with = "undo")]
    to: Option<PathBuf>,

    /// Only print what would be done
    #[arg(long)]
    dry_run: bool,

    /// Revert every repair of the folder
    #[arg(long, conflicts_with_all = ["from", "substitute_flow_model", "no_fetch", "repo", "revision"])]
    undo: bool,

    /// Print JSON instead
    #[arg(long)]
    pub(super) json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Outcome<'a> {
    plan: Option<&'a Plan>,
    /// Why the folder loads but does not work, if that was asked for.
    warning: Option<String>,
    changed: &'a [Change],
    /// Errors that no repair mends, where there is nothing else to do.
    left: Vec<String>,
    dry_run: bool,
}

pub(super) fn run(args: &RepairArgs, machine: &Machine<'_>) -> Result<Exit, CliError> {
    let located = machine.locate(args.model.as_deref())?;
    if args.undo {
        return run_undo(args, &located);
    }
    let origin = origin(args, &located, machine);
    // Known before anything is planned, so that a dry run does not promise a download.
    let may_fetch = !args.no_fetch && !fetch::is_offline(machine, args.endpoint.as_deref())?;
    let options = Options {
        from: args.from.clone(),
        // The substitution is asked for where downloading is not wanted or not possible.
        repo: may_fetch.then(|| origin.0.clone()),
        substitute_flow_model: args.substitute_flow_model,
        to: args.to.clone(),
    };
    let mut planned = plan(&located, &options, &machine.places)?;
    let left = left(&planned, &located, machine);
    if !args.json {
        print(&described(&planned, args.dry_run, &left))?;
    }
    let mut changed = Vec::new();
    let mut unreachable = None;
    if !args.dry_run {
        // Kept until the repair is made.
        let staging;
        match download(args, machine, &planned, &origin) {
            Ok(None) => {}
            Ok(Some(fetched)) => {
                staging = fetched;
                planned = planned.with_fetched(staging.path());
            }
            Err(fault) => {
                // Only now does nothing else help.
                let without = Options {
                    repo: None,
                    ..options
                };
                planned = plan(&located, &without, &machine.places)?;
                if planned.substitution().is_none() {
                    return Err(fault);
                }
                unreachable = Some(fault);
            }
        }
        changed = apply(&planned)?;
    }
    conclude(args, &planned, (&changed, left), unreachable.as_ref())
}

fn conclude(
    args: &RepairArgs,
    planned: &Plan,
    (changed, left): (&[Change], Vec<String>),
    unreachable: Option<&CliError>,
) -> Result<Exit, CliError> {
    let done = planned.unsolved.is_empty() && left.is_empty();
    let warning = planned.substitution().map(Substitution::warning);
    if args.json {
        print_json(&Outcome {
            plan: Some(planned),
            warning: warning.clone(),
            changed,
            left,
            dry_run: args.dry_run,
        })?;
    } else {
        let mut text = String::new();
        if let Some(fault) = unreachable {
            let _ = writeln!(text, "{}, so the substitution is made:", fault.sentence());
            text.push_str(&planned.diff);
        }
        if let Some(warning) = &warning {
            let _ = writeln!(
                text,
                "! {warning}\n  `trellis serve` refuses this folder; `--undo` reverts it"
            );
        }
        if !changed.is_empty() {
            let _ = writeln!(text, "✓ repaired {}", planned.target.display());
        }
        print(&text)?;
    }
    Ok(if done { Exit::Done } else { Exit::Failed })
}

fn run_undo(args: &RepairArgs, located: &Located) -> Result<Exit, CliError> {
    let changed = undo(&located.folder, args.dry_run)?;
    if args.json {
        return print_json(&Outcome {
            plan: None,
            warning: None,
            changed: &changed,
            left: Vec::new(),
            dry_run: args.dry_run,
        });
    }
    let verb = if args.dry_run { "would be" } else { "was" };
    let line = |change: &Change| match (&change.moved_from, &change.kept_as) {
        (Some(from), None) => format!("{} {verb} moved back to {from}\n", change.path),
        (Some(from), Some(kept)) => format!(
            "{} {verb} moved back to {from} and restored from {kept}\n",
            change.path
        ),
        (None, Some(kept)) => format!("{} {verb} restored from {kept}\n", change.path),
        (None, None) => format!("{} {verb} removed\n", change.path),
    };
    print(&changed.iter().map(line).collect::<String>())
}

/// What `trellis model check` calls an error in a folder for which a plan has nothing to do.
fn left(plan: &Plan, located: &Located, machine: &Machine<'_>) -> Vec<String> {
    if !plan.remedies.is_empty() || !plan.unsolved.is_empty() {
        return Vec::new();
    }
    let report = check(located, &machine.places);
    let errors = report
        .problems
        .iter()
        .filter(|problem| problem.severity() == Severity::Error);
    errors
        .map(|problem| format!("{}\n  → {}", problem.sentence(), problem.advice()))
        .collect()
}

/// What a plan does, for people.
fn described(plan: &Plan, dry_run: bool, left: &[String]) -> String {
    let mut text = String::new();
    for remedy in &plan.remedies {
        let _ = match remedy {
            Remedy::Move { name, moves } => {
                writeln!(text, "{name}: {}", moves::sentence(moves))
            }
            Remedy::Copy { name, source } => writeln!(text, "{name}: from {}", source.whose),
            Remedy::Fetch { name, repo, .. } => writeln!(text, "{name}: to be downloaded from {repo}"),
            Remedy::Substitute(substitution) => {
                writeln!(
                    text,
                    "{}: named as {} instead",
                    substitution.from, substitution.to
                )
            }
        };
    }
    for unsolved in &plan.unsolved {
        let _ = writeln!(
            text,
            "✗ {}: {}\n  hint: {}",
            unsolved.name, unsolved.reason, unsolved.advice
        );
    }
    text.push_str(&plan.diff);
    if !left.is_empty() {
        for error in left {
            let _ = writeln!(text, "✗ {error}");
        }
        text.push_str("`repair` cannot fix these\n");
    } else if plan.remedies.is_empty() && plan.unsolved.is_empty() {
        text.push_str("✓ nothing to repair\n");
    } else if dry_run {
        text.push_str("nothing was changed (--dry-run)\n");
    }
    text
}

/// The repository and revision that a missing file is downloaded from.
fn origin(args: &RepairArgs, located: &Located, machine: &Machine<'_>) -> (String, String) {
    let lock = Lock::read(&lock_path(located, &machine.places)).ok();
    let (repo, revision) = match (&located.snapshot, lock) {
        (Some(snapshot), _) => (Some(snapshot.repo.clone()), Some(snapshot.revision.clone())),
        (None, Some(lock)) => (lock.repo, lock.revision),
        (None, None) => (None, None),
    };
    // A revision belongs to its repository: another repository has its own.
    let revision = if args.repo.is_some() && args.repo != repo {
        None
    } else {
        revision
    };
    let repo = args.repo.clone().or(repo);
    fetch::pinned_or(repo.as_deref(), args.revision.as_deref().or(revision.as_deref()))
}

/// Downloads what the plan asks for into a folder that waits beside the target, so on its disk, until the
/// whole repair can be made; `None` if there is nothing to download.
fn download(
    args: &RepairArgs,
    machine: &Machine<'_>,
    plan: &Plan,
    origin: &(String, String),
) -> Result<Option<TempDir>, CliError> {
    let wanted = plan.remedies.iter().filter_map(|remedy| match remedy {
        Remedy::Fetch { repo, remote, .. } => Some((repo, remote)),
        _ => None,
    });
    let wanted: Vec<_> = wanted.collect();
    if wanted.is_empty() {
        return Ok(None);
    }
    let staging = staging(plan)?;
    let bars = Bars::new(args.json);
    let hub = fetch::hub(machine, args.endpoint.as_deref())?;
    for (repo, remote) in wanted {
        let revision = if *repo == origin.0 { &origin.1 } else { "main" };
        let request = Request {
            repo: repo.clone(),
            revision: revision.to_owned(),
            everything: false,
            layout: Layout::Folder(staging.path().to_owned()),
        };
        let files = [format!("{remote}.json"), format!("{remote}.safetensors")];
        fetch::block_on(fetch_files(&hub, &request, &files, &bars))?;
    }
    Ok(Some(staging))
}

fn staging(plan: &Plan) -> Result<TempDir, CliError> {
    let target = std::path::absolute(&plan.target).unwrap_or_else(|_| plan.target.clone());
    let mut above = target.ancestors().skip(1);
    let existing = above.find(|path| path.is_dir()).unwrap_or(&target);
    TempDir::with_prefix_in(".trellis-repair-", existing).map_err(|error| CliError::write(existing, &error))
}
