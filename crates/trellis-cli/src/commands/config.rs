//! `trellis config`: the settings in force and where each comes from; a check for packagers.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Subcommand;

use super::Context;
use crate::config::{self, Effective, SettingFlags};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output;

/// Show the settings in force, or check a settings file
#[derive(Debug, clap::Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print every setting with where it comes from, as a settings file
    Show {
        /// Print JSON instead
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        flags: SettingFlags,
    },
    /// Check a settings file without starting anything; exits with 1 if it is invalid
    Check {
        /// The file
        file: PathBuf,
    },
}

pub(crate) fn run(args: ConfigArgs, context: &Context<'_>) -> Result<Exit, CliError> {
    match args.action {
        Action::Show { json, flags } => {
            let effective = config::load(&flags, context.environment, context.config_file.as_deref())?;
            for mistyped in &effective.mistyped {
                output::write_stderr(&format!("warning: {mistyped}\n"));
            }
            super::print(&if json {
                as_json(&effective)
            } else {
                as_toml(&effective)
            })
        }
        Action::Check { file } => match config::check_file(&file) {
            Ok(count) => super::print(&format!(
                "{}: ok, {}\n",
                file.display(),
                output::count(count, "setting")
            )),
            Err(problems) if problems.unreadable() => Err(problems.into()),
            Err(problems) => Err(CliError::from(problems).with_exit(Exit::Failed)),
        },
    }
}

fn as_toml(effective: &Effective) -> String {
    let mut text = match &effective.file {
        Some(file) => format!("# settings file: {}\n", file.display()),
        None => "# settings file: none\n".to_owned(),
    };
    let mut open_table = "";
    for (setting, sourced) in &effective.values {
        let (table, key) = setting.key.rsplit_once('.').unwrap_or(("", setting.key));
        if table != open_table {
            let _ = writeln!(text, "\n[{table}]");
            open_table = table;
        }
        let line = format!("{key} = {}", sourced.value);
        let _ = writeln!(text, "{line:<40} # {}", sourced.origin);
    }
    text
}

fn as_json(effective: &Effective) -> String {
    let values = effective.values.iter().map(|(setting, sourced)| {
        let value = serde_json::to_value(sourced).expect("values of settings are plain");
        (setting.key.to_owned(), value)
    });
    let settings: serde_json::Map<_, _> = values.collect();
    let document = serde_json::json!({ "file": effective.file, "settings": settings });
    format!("{document:#}\n")
}
