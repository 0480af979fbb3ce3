//! Prints how long jobs wait on many GPUs, or what submissions that really happened would have waited.

use std::io::{Write as _, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use trellis_sim::{Asked, Mix, lines, replay, table};

/// How long jobs wait for a GPU, by the rules of the job store
#[derive(Parser)]
struct Arguments {
    /// How many GPUs there are
    #[arg(long, default_value_t = 1_000, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    gpus: usize,
    /// How much of them is asked for; above 1, more than they can do
    #[arg(long, value_delimiter = ',', default_value = "0.5,0.7,0.8,0.9,0.95,1.1", value_parser = load)]
    loads: Vec<f64>,
    /// For how many minutes jobs come
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    minutes: u32,
    /// Of the random numbers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Jobs that really came, one JSON object a line, `{"at": SECONDS, "owner": NAME, "seconds": SECONDS}`; prints the
    /// seconds that each waits with turns and in order
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// How many milliseconds a claim takes in a replay
    #[arg(long, default_value_t = 0)]
    claim_ms: u64,
}

fn load(text: &str) -> Result<f64, String> {
    let load = text.parse().ok().filter(|load| *load > 0.0 && *load <= 10.0);
    load.ok_or_else(|| "a number above 0 and up to 10 is expected".to_owned())
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let printed = match &arguments.replay {
        Some(file) => replayed(file, &arguments),
        None => Ok(table(&lines(&Asked {
            gpus: arguments.gpus,
            loads: arguments.loads,
            span: Duration::from_secs(60 * u64::from(arguments.minutes)),
            mix: Mix::default(),
            seed: arguments.seed,
        }))),
    };
    // Whoever does not listen to the end is not told more.
    let _ = match &printed {
        Ok(text) => stdout().write_all(text.as_bytes()),
        Err(problem) => writeln!(stderr(), "error: {problem}"),
    };
    if printed.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(2)
    }
}

fn replayed(file: &Path, arguments: &Arguments) -> Result<String, String> {
    let within = |problem: &dyn std::fmt::Display| format!("{}: {problem}", file.display());
    let lines = std::fs::read_to_string(file).map_err(|error| within(&error))?;
    let claim = Duration::from_millis(arguments.claim_ms);
    let waits = replay(&lines, arguments.gpus, claim).map_err(|error| within(&error))?;
    let lines = waits
        .iter()
        .map(|(turns, in_order)| format!("{turns:.3} {in_order:.3}\n"));
    Ok(lines.collect())
}
