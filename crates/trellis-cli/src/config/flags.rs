//! The flags that set settings, made from the table: one for each row.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::kind::Kind;
use super::settings::{DATA_DIR, SETTINGS, Setting};

/// What was given by flags: keys of settings and their texts. Each is checked later with all the others.
#[derive(Debug, Default, Clone)]
pub(crate) struct SettingFlags(pub(crate) Vec<(&'static Setting, String)>);

impl SettingFlags {
    /// Those of a command that takes `--data-dir` alone.
    pub(crate) fn data_dir(given: Option<&str>) -> Self {
        let setting = SETTINGS.iter().find(|setting| setting.key == DATA_DIR);
        let given = given.map(str::to_owned);
        Self(setting.zip(given).into_iter().collect())
    }
}

impl clap::FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = SETTINGS.iter().filter_map(|setting| {
            matches
                .get_one::<String>(setting.key)
                .map(|text| (setting, text.clone()))
        });
        Ok(Self(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        let command = command.next_help_heading("Settings (docs/configuration.md)");
        command.args(SETTINGS.iter().map(flag))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn flag(setting: &'static Setting) -> Arg {
    let default = match setting.default {
        "" => String::new(),
        default => format!("; default `{default}`"),
    };
    let arg = Arg::new(setting.key)
        .long(setting.flag)
        .value_name(setting.kind.placeholder())
        .action(ArgAction::Set)
        .help(format!(
            "{} [`{}`, `${}`{default}]",
            setting.about, setting.key, setting.variable
        ));
    // `--low-vram` alone switches on; another value needs `=`, or it would be taken for the next argument.
    match setting.kind {
        Kind::Switch => arg
            .num_args(0..=1)
            .default_missing_value("true")
            .require_equals(true),
        _ => arg,
    }
}
