//! The parameters of a generation as flags, by TRELLIS's own names: one for each entry of the tables in
//! `trellis-core`, which also check them.

use clap::builder::{PossibleValuesParser, ValueParser};
use clap::{Arg, ArgMatches, Command, Error, FromArgMatches};
use trellis_core::Model;
use trellis_core::{Format, Given, Kind, ParamError, ParameterName, Params, ParamsPatch};

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

/// Refuses what no model takes; which one a server has by default only that server knows.
pub(crate) fn check(patch: &ParamsPatch) -> Result<(), ParamError> {
    let of = |model| patch.clone().or_model(model).resolve(0).map(drop);
    let [first, others @ ..] = Model::ALL;
    of(first).or_else(|error| {
        if others.into_iter().any(|model| of(model).is_ok()) {
            return Ok(());
        }
        Err(error)
    })
}

/// Formats have a flag of their own.
fn flags() -> impl Iterator<Item = &'static ParameterName> {
    Params::names()
        .iter()
        .filter(|parameter| parameter.name != "formats")
}

/// `--model` names a folder.
fn long(parameter: &ParameterName) -> String {
    match parameter.name {
        "model" => "model-name".to_owned(),
        name => name.replace('_', "-"),
    }
}

/// Two numbers with a comma between.
fn interval(text: &str) -> Result<[f64; 2], String> {
    let (first, last) = text
        .split_once(',')
        .ok_or("two numbers with a comma between are expected, such as `0.6,1`")?;
    Ok([numbers::parse(first.trim())?, numbers::parse(last.trim())?])
}

impl clap::Args for ParamFlags {
    fn augment_args(command: Command) -> Command {
        flags().fold(command, |command, parameter| command.arg(flag(parameter)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn flag(parameter: &ParameterName) -> Arg {
    let (value_name, parser) = match parameter.kind() {
        Kind::Whole { .. } => ("NUMBER", ValueParser::new(numbers::parse::<i64>)),
        Kind::Real { .. } => ("NUMBER", ValueParser::new(numbers::parse::<f64>)),
        Kind::Choice { names, .. } => ("NAME", PossibleValuesParser::new(names).into()),
        Kind::Interval { .. } => ("NUMBERS", ValueParser::new(interval)),
        Kind::Flag { .. } | Kind::Formats => ("BOOL", clap::value_parser!(bool)),
    };
    let default = match (parameter.default_in_words(), parameter.kind().without_default()) {
        (Some(default), _) => default,
        (None, without) => format!("{}, which is reported", without.unwrap_or_default()),
    };
    Arg::new(parameter.name)
        .long(long(parameter))
        .help(format!("{}; default: {default}", parameter.sentence()))
        .help_heading(heading(parameter))
        .value_name(value_name)
        .value_parser(parser)
        .allow_negative_numbers(matches!(parameter.kind(), Kind::Whole { .. } | Kind::Real { .. }))
}

fn heading(parameter: &ParameterName) -> String {
    match parameter.models().as_deref() {
        Some([model]) => format!("Parameters of {}", model.name()),
        _ => "Parameters".to_owned(),
    }
}

impl FromArgMatches for ParamFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let asked = flags().filter_map(|parameter| {
            let name = parameter.name;
            let given = match parameter.kind() {
                Kind::Whole { .. } => Given::Whole(*matches.get_one(name)?),
                Kind::Real { .. } => Given::Real(*matches.get_one(name)?),
                Kind::Interval { .. } => Given::Interval(*matches.get_one(name)?),
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
            let flag = format!("--{}", long(parameter));
            let arg = command.get_arguments().find(|arg| arg.get_id() == parameter.name);
            let help = arg.unwrap().get_help().unwrap().to_string();
            assert!(help.starts_with(&parameter.sentence()), "{help}");
            let Some(default) = parameter.kind().default() else {
                continue;
            };
            let told = parameter.default_in_words().unwrap();
            assert!(help.ends_with(&format!("; default: {told}")), "{help}");
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

    #[test]
    fn what_some_model_takes_is_left_to_the_server() {
        let asked = ParamsPatch::default().with("resolution", 512);
        assert_eq!(check(&asked), Ok(()));
        assert_eq!(check(&ParamsPatch::default()), Ok(()));
        let named = asked.clone().with("model", "trellis-image-large");
        assert_eq!(check(&named).unwrap_err().field, "resolution");
        let both = asked.with("slat_sampling_steps", 3);
        assert!(check(&both).is_err());
    }
}
