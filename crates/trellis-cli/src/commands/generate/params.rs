//! The parameters of a generation as flags, by TRELLIS's own names: one for each entry of the tables in
//! `trellis-core`, which also check them.

use clap::builder::{PossibleValuesParser, ValueParser};
use clap::{Arg, ArgMatches, Command, Error, FromArgMatches};
use trellis_core::{Format, Given, Kind, Parameter, Params, ParamsPatch};

use crate::numbers;

/// One flag a parameter; what is not given takes its default.
#[derive(Debug, Clone, Default)]
pub(crate) struct ParamFlags(ParamsPatch);

impl ParamFlags {
    /// What is asked for, not checked yet.
    pub(crate) fn patch(&self, formats: &[Format]) -> ParamsPatch {
        self.0.clone().with("formats", formats.to_vec())
    }
}

/// Formats have a flag of their own, and `--model` names the folder of the model.
fn flags() -> impl Iterator<Item = &'static Parameter> {
    Params::of_all_models().filter(|parameter| !["formats", "model"].contains(&parameter.name))
}

impl clap::Args for ParamFlags {
    fn augment_args(command: Command) -> Command {
        flags().fold(command, |command, parameter| command.arg(flag(parameter)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn flag(parameter: &Parameter) -> Arg {
    let (value_name, parser) = match parameter.kind {
        Kind::Whole { .. } => ("NUMBER", ValueParser::new(numbers::parse::<i64>)),
        Kind::Real { .. } => ("NUMBER", ValueParser::new(numbers::parse::<f64>)),
        Kind::Choice { names, .. } => ("NAME", PossibleValuesParser::new(names).into()),
        Kind::Flag { .. } | Kind::Formats => ("BOOL", clap::value_parser!(bool)),
    };
    let without = parameter.kind.without_default().unwrap_or_default();
    let default = match parameter.kind.default() {
        Some(default) => default.to_string(),
        None => format!("{without}, which is reported"),
    };
    Arg::new(parameter.name)
        .long(parameter.name.replace('_', "-"))
        .help(format!("{}; default: {default}", parameter.sentence()))
        .help_heading("Parameters")
        .value_name(value_name)
        .value_parser(parser)
        .allow_negative_numbers(matches!(parameter.kind, Kind::Whole { .. } | Kind::Real { .. }))
}

impl FromArgMatches for ParamFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let asked = flags().filter_map(|parameter| {
            let name = parameter.name;
            let given = match parameter.kind {
                Kind::Whole { .. } => Given::Whole(*matches.get_one(name)?),
                Kind::Real { .. } => Given::Real(*matches.get_one(name)?),
                Kind::Flag { .. } | Kind::Formats => Given::Flag(*matches.get_one(name)?),
                Kind::Choice { names, .. } => {
                    let given = matches.get_one::<String>(name)?;
                    Given::Name(names.iter().find(|name| *name == given)?)
                }
            };
            Some((name, given))
        });
        let patch = asked.fold(ParamsPatch::default(), |patch, (name, given)| {
            patch.with(name, given)
        });
        Ok(Self(patch))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flag_says_and_takes_what_the_table_has() {
        let command = <ParamFlags as clap::Args>::augment_args(Command::new("generate"));
        for parameter in flags() {
            let flag = format!("--{}", parameter.name.replace('_', "-"));
            let arg = command.get_arguments().find(|arg| arg.get_id() == parameter.name);
            let help = arg.unwrap().get_help().unwrap().to_string();
            assert!(help.starts_with(&parameter.sentence()), "{help}");
            let Some(default) = parameter.kind.default() else {
                continue;
            };
            assert!(help.ends_with(&format!("; default: {default}")), "{help}");
            let given = command
                .clone()
                .try_get_matches_from(["generate", &flag, &default.to_string()]);
            let patch = ParamFlags::from_arg_matches(&given.unwrap()).unwrap().0;
            assert_eq!(patch, ParamsPatch::default().with(parameter.name, default));
        }
    }

    #[test]
    fn what_is_not_given_is_left_to_the_defaults() {
        let command = <ParamFlags as clap::Args>::augment_args(Command::new("generate"));
        let given = command.get_matches_from(["generate", "--seed", "-1"]);
        let patch = ParamFlags::from_arg_matches(&given)
            .unwrap()
            .patch(&[Format::Stl]);
        let asked = ParamsPatch::default()
            .with("seed", -1)
            .with("formats", vec![Format::Stl]);
        assert_eq!(patch, asked);
    }
}
