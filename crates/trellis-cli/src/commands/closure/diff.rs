//! `trellis closure diff`.

use std::fmt::Write as _;
use std::path::PathBuf;

use trellis_closure::{Change, Diff, Kind, diff};
use trellis_core::file_size;

use super::{StoreArgs, print, print_json};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::count;

/// Show what changed between two closures: versions, added and removed packages, sizes
#[derive(Debug, clap::Args)]
pub(super) struct DiffArgs {
    /// The first: a store path, a file in one, or a link to one
    before: PathBuf,

    /// The second
    after: PathBuf,

    #[command(flatten)]
    store: StoreArgs,

    /// Also show packages that were rebuilt in the same version
    #[arg(long)]
    rebuilt: bool,

    /// Print JSON instead, with everything
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(args: &DiffArgs) -> Result<Exit, CliError> {
    let store = args.store.open()?;
    let before = store.closure(&store.find(&args.before)?)?;
    let after = store.closure(&store.find(&args.after)?)?;
    let changed = diff(&before, &after);
    if args.json {
        return print_json(&changed);
    }
    print(&table(&changed, args.rebuilt))
}

fn table(diff: &Diff, rebuilt: bool) -> String {
    let shown = |change: &&Change| rebuilt || change.kind != Kind::Rebuilt;
    let rows: Vec<[String; 3]> = diff.changes.iter().filter(shown).map(row).collect();
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let (name, versions, delta) = (width(0), width(1), width(2));
    let mut text = String::new();
    for row in &rows {
        let _ = writeln!(
            text,
            "{:<name$}  {:<versions$}  {:>delta$}",
            row[0], row[1], row[2]
        );
    }
    if !rows.is_empty() {
        text.push('\n');
    }
    let silent = diff.changes.len() - rows.len();
    if silent > 0 {
        let packages = count(silent, "package");
        let _ = writeln!(
            text,
            "{packages} rebuilt in the same version (`--rebuilt` shows them)"
        );
    }
    if diff.changes.is_empty() {
        text.push_str("the same paths\n");
    }
    let (before, after) = (&diff.before, &diff.after);
    let _ = writeln!(
        text,
        "{} in {} → {} in {} ({})",
        file_size(before.bytes),
        count(before.paths, "path"),
        file_size(after.bytes),
        count(after.paths, "path"),
        difference(before.bytes, after.bytes)
    );
    text
}

fn row(change: &Change) -> [String; 3] {
    let mark = match change.kind {
        Kind::Added => '+',
        Kind::Removed => '-',
        Kind::Changed => '~',
        Kind::Rebuilt => '=',
    };
    let versions = match change.kind {
        Kind::Added => versions(&change.after),
        Kind::Removed | Kind::Rebuilt => versions(&change.before),
        Kind::Changed => format!("{} → {}", versions(&change.before), versions(&change.after)),
    };
    [
        format!("{mark} {}", change.name),
        versions,
        difference(change.bytes_before, change.bytes_after),
    ]
}

fn versions(versions: &[String]) -> String {
    let named = versions.iter().map(|version| {
        if version.is_empty() {
            "(no version)"
        } else {
            version
        }
    });
    named.collect::<Vec<_>>().join(", ")
}

fn difference(before: u64, after: u64) -> String {
    match after.checked_sub(before) {
        Some(0) => "same size".to_owned(),
        Some(more) => format!("+{}", file_size(more)),
        None => format!("-{}", file_size(before - after)),
    }
}
