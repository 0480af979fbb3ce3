//! The command line as a whole: global options and the list of commands.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands::{
    closure, completions, config, doctor, generate, jobs, keys, lock, man, model, nodes, serve, store, top,
    verify, workers,
};

/// A picture goes in, a 3D asset comes out.
#[derive(Debug, Parser)]
#[command(
    name = "trellis",
    version,
    long_version = long_version(),
    after_help = AFTER_HELP,
    propagate_version = false,
    max_term_width = 100
)]
pub struct Cli {
    /// Settings file; else `$TRELLIS_CONFIG`, else `trellis-server/config.toml` in the XDG folders
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(serve::ServeArgs),
    Generate(Box<generate::GenerateArgs>),
    Doctor(doctor::DoctorArgs),
    Workers(workers::WorkersArgs),
    Nodes(nodes::NodesArgs),
    Store(store::StoreArgs),
    Top(top::TopArgs),
    Jobs(jobs::JobsArgs),
    Keys(keys::KeysArgs),
    Config(config::ConfigArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    Model(model::ModelArgs),
    Closure(closure::ClosureArgs),
    Lock(lock::LockArgs),
    Verify(verify::VerifyArgs),
}

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 the work or part of it failed, 2 could not start or wrong usage.
Results go to standard output, everything else to standard error. NO_COLOR is respected.";

/// What `--version` prints after the program's name.
fn long_version() -> String {
    let build = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    format!(
        "{version}\n\
         platform: {os} {arch}, {build} build\n\
         licence:  {licence}",
        version = env!("CARGO_PKG_VERSION"),
        os = std::env::consts::OS,
        arch = std::env::consts::ARCH,
        licence = env!("CARGO_PKG_LICENSE"),
    )
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    /// Text that is broken into lines here and again by clap is ragged: a line then ends although the first word
    /// of the next one would fit.
    #[test]
    fn help_is_wrapped_once() {
        fn check(command: &mut clap::Command, width: usize, looked_at: &mut usize) {
            let help = command.render_long_help().to_string();
            let lines: Vec<&str> = help.lines().collect();
            for pair in lines.windows(2) {
                let (line, next) = (pair[0].trim_end(), pair[1]);
                // Descriptions are indented and broken by clap alone; a sentence may begin a line.
                let prose = next.starts_with(|first: char| first.is_lowercase());
                if line.is_empty() || line.starts_with(' ') || line.ends_with('.') || !prose {
                    continue;
                }
                *looked_at += 1;
                let word = next.split_whitespace().next().unwrap_or_default();
                let joined = line.chars().count() + 1 + word.chars().count();
                assert!(
                    joined > width,
                    "`{}` at {width} columns: `{word}` fits into the line before\n{line}\n{next}",
                    command.get_name()
                );
            }
            for below in command.get_subcommands_mut() {
                check(below, width, looked_at);
            }
        }
        let mut looked_at = 0;
        for width in [60, 80, 100, 120] {
            let mut command = super::Cli::command().term_width(width);
            command.build();
            check(&mut command, width.min(100), &mut looked_at);
        }
        assert!(looked_at > 40, "{looked_at} lines");
    }

    #[test]
    fn definitions_are_consistent() {
        super::Cli::command().debug_assert();
    }
}
