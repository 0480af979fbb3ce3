//! `trellis closure verify`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use nix_compat::narinfo::VerifyingKey;
use serde::Serialize;
use trellis_closure::verify::{Against, Checked, Trust, verify};
use trellis_closure::{BinaryCache, Closure, Source, keys_of_nix_conf, parse_key};
use trellis_core::Explain as _;
use trellis_core::file_size;

use super::{StoreArgs, according_to, print, print_json, start};
use crate::commands::bar::hashing;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{count, write_stderr};

/// Hash every path of a closure and compare it with the database, a binary cache and trusted keys
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --trusted-key the keys of nix.conf count: a signature in their name must be right, but \
a path need not have one, as what was built here has none. With --trusted-key every path must be \
signed by one of the keys given, unless its name follows from its content.

Exit codes: 0 every path is what it should be, 1 some are not, each is named, 2 could not start.")]
pub(super) struct VerifyArgs {
    /// A store path, a file in one, or a link to one; default: where this program runs from
    path: Option<PathBuf>,

    #[command(flatten)]
    store: StoreArgs,

    /// A binary cache in a folder, whose narinfo files say what paths should be
    #[arg(long, value_name = "DIR")]
    binary_cache: Option<PathBuf>,

    /// A key that must have signed every path; may be given several times
    #[arg(long, value_name = "NAME:BASE64")]
    trusted_key: Vec<String>,

    /// Print JSON instead
    #[arg(long)]
    pub(super) json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Verified<'a> {
    start: String,
    source: Source,
    passed: bool,
    bytes: u64,
    paths: &'a [Checked],
}

pub(super) fn run(args: &VerifyArgs) -> Result<Exit, CliError> {
    let keys = keys(args)?;
    let cache = args.binary_cache.as_deref().map(BinaryCache::open).transpose()?;
    let store = args.store.open()?;
    let closure = store.closure(&start(&store, args.path.as_deref())?)?;
    let against = Against {
        cache: cache.as_ref(),
        keys: &keys,
        signed: !args.trusted_key.is_empty(),
    };
    let bar = hashing(closure.nar_size(), args.json);
    let checked = verify(&store, &closure, against, &|bytes| bar.inc(bytes));
    bar.finish_and_clear();
    let checked = checked?;
    let passed = checked.iter().all(|path| path.problems.is_empty());
    if args.json {
        print_json(&Verified {
            start: closure.start.to_absolute_path(),
            source: store.source(),
            passed,
            bytes: checked.iter().map(|path| path.bytes).sum(),
            paths: &checked,
        })?;
    } else {
        print(&report(&closure, &checked, store.source()))?;
    }
    Ok(Exit::done_if(passed))
}

/// The keys that a person gives, else those of the store's `nix.conf`.
fn keys(args: &VerifyArgs) -> Result<Vec<VerifyingKey>, CliError> {
    if !args.trusted_key.is_empty() {
        let keys = args.trusted_key.iter().map(|text| parse_key(text));
        return Ok(keys.collect::<Result<_, _>>()?);
    }
    let file = args.store.store.join("etc/nix/nix.conf");
    let trusted = keys_of_nix_conf(&file);
    for word in &trusted.not_keys {
        write_stderr(&format!("note: `{word}` in {} is not a key\n", file.display()));
    }
    Ok(trusted.keys)
}

fn report(closure: &Closure, checked: &[Checked], source: Source) -> String {
    let mut text = String::new();
    for path in checked.iter().filter(|path| !path.problems.is_empty()) {
        let _ = writeln!(text, "✗ {}", path.path.to_absolute_path());
        for problem in &path.problems {
            let _ = writeln!(text, "    {problem}\n    hint: {}", problem.advice());
        }
        text.push('\n');
    }
    let bad = checked.iter().filter(|path| !path.problems.is_empty()).count();
    let bytes: u64 = checked.iter().map(|path| path.bytes).sum();
    let hashed = format!("{} hashed, known {}", file_size(bytes), according_to(source));
    let _ = match bad {
        0 => writeln!(
            text,
            "✓ {} of {}: nothing is wrong ({hashed})",
            count(checked.len(), "path"),
            closure.start.to_absolute_path()
        ),
        bad => writeln!(
            text,
            "wrong: {bad} of {} ({hashed})",
            count(checked.len(), "path")
        ),
    };
    text.push_str(&vouched(checked));
    text
}

/// How many paths each of those who vouch for one does.
fn vouched(checked: &[Checked]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for path in checked.iter().filter(|path| path.problems.is_empty()) {
        let by = match &path.trust {
            Trust::Signature(keys) => format!("signed by {}", keys.join(" and ")),
            Trust::Content => "named after their content".to_owned(),
            Trust::BuiltHere => "built on this machine".to_owned(),
            Trust::Nobody => "not signed by a trusted key".to_owned(),
        };
        *counts.entry(by).or_default() += 1;
    }
    let mut text = String::new();
    for (by, paths) in counts {
        let _ = writeln!(text, "  {paths} {by}");
    }
    text
}
