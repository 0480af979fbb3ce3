//! `trellis lock show`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;
use trellis_closure::lock::{FlakeLock, Locked, User, age_days};
use trellis_pins::Pins;

use super::{Files, Pinned, print, print_json};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{count, short};

/// Say what every input is pinned to, how old it is and who uses it, and which versions are pinned
#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    files: Files,

    /// Print JSON instead
    #[arg(long)]
    pub(super) json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Shown<'a> {
    version: u32,
    inputs: Vec<Input<'a>>,
    pins_from: &'a str,
    python: &'a str,
    cuda: &'a str,
    torch: &'a str,
    sources: BTreeMap<&'a str, &'a str>,
    wheels: BTreeMap<&'a str, &'a str>,
}

/// One input of a lock file.
#[derive(Serialize)]
struct Input<'a> {
    name: &'a str,
    from: Option<String>,
    branch: Option<&'a str>,
    rev: Option<&'a str>,
    nar_hash: Option<&'a str>,
    age_days: Option<i64>,
    flake: bool,
    used_by: BTreeSet<User>,
}

pub(super) fn run(args: &ShowArgs) -> Result<Exit, CliError> {
    let Pinned {
        lock,
        pins,
        pins_from,
    } = args.files.read()?;
    let inputs = inputs(&lock, &pins, Timestamp::now().as_second());
    if args.json {
        return print_json(&shown(&lock, inputs, &pins, &pins_from));
    }
    let mut text = format!(
        "flake.lock, version {}: {}\n",
        lock.version(),
        count(inputs.len(), "input")
    );
    for input in &inputs {
        describe(input, &mut text);
    }
    describe_pins(&pins, &pins_from, &mut text);
    print(&text)
}

fn inputs<'a>(lock: &'a FlakeLock, pins: &Pins, now: i64) -> Vec<Input<'a>> {
    let mut users = lock.users();
    let described = lock.nodes().map(|(name, node)| {
        let locked = node.locked.as_ref();
        Input {
            name,
            from: locked.map(Locked::origin),
            branch: node
                .original
                .as_ref()
                .and_then(|original| original.branch.as_deref()),
            rev: locked.and_then(|locked| locked.rev.as_deref()),
            nar_hash: locked.and_then(|locked| locked.nar_hash.as_deref()),
            age_days: locked
                .and_then(|locked| made(locked, pins))
                .map(|made| age_days(made, now)),
            flake: node.flake,
            used_by: users.remove(name).unwrap_or_default(),
        }
    });
    described.collect()
}

/// When a revision was made. Lock files do not say it of git inputs, the pins do.
fn made(locked: &Locked, pins: &Pins) -> Option<i64> {
    let is_pin = |rev: &str| locked.rev.as_deref() == Some(rev);
    let pinned = || pins.sources.values().find(|source| is_pin(&source.rev));
    let pinned = || i64::try_from(pinned()?.last_modified).ok();
    locked.last_modified.or_else(pinned)
}

fn describe(input: &Input<'_>, text: &mut String) {
    let from = input.from.as_deref().unwrap_or("not locked");
    let branch = input
        .branch
        .map_or(String::new(), |branch| format!(" ({branch})"));
    let rev = input.rev.map_or("no revision", short);
    let age = input.age_days.map_or("age unknown".to_owned(), |days| {
        format!("{} old", count(usize::try_from(days).unwrap_or(0), "day"))
    });
    let users: Vec<String> = input.used_by.iter().map(used_by).collect();
    let users = if users.is_empty() {
        "nobody".to_owned()
    } else {
        users.join(", ")
    };
    let _ = write!(
        text,
        "\n{}  {from}{branch}\n  {rev}, {age}\n  {}\n  used by {users}\n",
        input.name,
        input.nar_hash.unwrap_or("no NAR hash"),
    );
}

/// A use as `node.input`.
fn used_by(user: &User) -> String {
    let follows = if user.follows { " (follows)" } else { "" };
    format!("{}.{}{follows}", user.node, user.input)
}

fn shown<'a>(lock: &FlakeLock, inputs: Vec<Input<'a>>, pins: &'a Pins, pins_from: &'a str) -> Shown<'a> {
    Shown {
        version: lock.version(),
        inputs,
        pins_from,
        python: &pins.python.version,
        cuda: &pins.cuda.version,
        torch: &pins.torch.reports,
        sources: sources(pins).collect(),
        wheels: wheels(pins).collect(),
    }
}

fn sources(pins: &Pins) -> impl Iterator<Item = (&str, &str)> {
    pins.sources
        .iter()
        .map(|(name, source)| (name.as_str(), source.version.as_str()))
}

fn wheels(pins: &Pins) -> impl Iterator<Item = (&str, &str)> {
    pins.wheels
        .iter()
        .map(|(name, wheel)| (name.as_str(), wheel.version.as_str()))
}

fn describe_pins(pins: &Pins, from: &str, text: &mut String) {
    let _ = writeln!(
        text,
        "\n{from}: Python {}, CUDA {}, torch {}",
        pins.python.version, pins.cuda.version, pins.torch.reports
    );
    let width = sources(pins)
        .chain(wheels(pins))
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or(0);
    let mut list = |title: &str, versions: &mut dyn Iterator<Item = (&str, &str)>| {
        let _ = writeln!(text, "\n{title}");
        for (name, version) in versions {
            let _ = writeln!(text, "  {name:<width$}  {version}");
        }
    };
    list("sources", &mut sources(pins));
    list("wheels", &mut wheels(pins));
}
