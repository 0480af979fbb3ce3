//! `trellis model repair`.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Serialize;
use trellis_core::Explain as _;
use trellis_model_fetch::{Repair, Repaired, Source};
use trellis_models::Located;
use trellis_models::moves;
use trellis_models::repair::{Change, Options, Plan, Remedy, Substitution, undo};

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
    let (repo, revision) = (args.repo.as_deref(), args.revision.as_deref());
    let mut repair = Repair {
        located: &located,
        places: &machine.places,
        source: Source::of_folder(&located, &machine.places, repo, revision),
        hub: fetch::settings(machine, args.endpoint.as_deref())?,
        options: Options {
            from: args.from.clone(),
            repo: None,
            substitute_flow_model: args.substitute_flow_model,
            to: args.to.clone(),
        },
    };
    if !args.no_fetch {
        repair.allow_download();
    }
    let planned = repair.plan()?;
    let left: Vec<String> = repair
        .left(&planned)
        .iter()
        .map(|problem| format!("{}\n  → {}", problem.sentence(), problem.advice()))
        .collect();
    if !args.json {
        print(&described(&planned, args.dry_run, &left))?;
    }
    let repaired = if args.dry_run {
        Repaired {
            plan: planned,
            changed: Vec::new(),
            unreachable: None,
        }
    } else {
        let bars = Bars::new(args.json);
        fetch::block_on(repair.carry_out(planned, &bars))?
    };
    conclude(args, repaired, left)
}

fn conclude(args: &RepairArgs, repaired: Repaired, left: Vec<String>) -> Result<Exit, CliError> {
    let Repaired {
        plan: planned,
        changed,
        unreachable,
    } = repaired;
    let unreachable = unreachable.map(CliError::from);
    let done = planned.unsolved.is_empty() && left.is_empty();
    let warning = planned.substitution().map(Substitution::warning);
    if args.json {
        print_json(&Outcome {
            plan: Some(&planned),
            warning: warning.clone(),
            changed: &changed,
            left,
            dry_run: args.dry_run,
        })?;
    } else {
        let mut text = String::new();
        if let Some(error) = &unreachable {
            let _ = writeln!(text, "{}, so the substitution is made:", error.sentence());
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
    Ok(Exit::done_if(done))
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
