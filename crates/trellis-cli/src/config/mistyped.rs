//! Variables that mean nothing here and look like one that does: a setting that would be missed in silence.

use std::fmt;

use super::settings::SETTINGS;
use crate::env::{self, Environment};

/// How many letters may differ, be missing, be too many or change places.
const MOST_EDITS: usize = 2;

/// A variable that looks like one of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistyped {
    pub(crate) variable: String,
    pub(crate) nearest: &'static str,
}

impl fmt::Display for Mistyped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variable, nearest } = self;
        write!(
            f,
            "`${variable}` is not read by anything: did you mean `${nearest}`?"
        )
    }
}

/// Whatever begins like our variables may be somebody else's: only what looks like one of ours is told.
pub(crate) fn find(environment: &Environment) -> Vec<Mistyped> {
    let known = || {
        let settings = SETTINGS.iter().map(|setting| setting.variable);
        settings.chain([env::CONFIG, env::API_KEY])
    };
    let unknown = environment.names().filter(|name| name.starts_with("TRELLIS_"));
    let found = unknown
        .filter(|name| known().all(|known| known != *name))
        .filter_map(|name| {
            let rated = known().map(|known| (strsim::damerau_levenshtein(name, known), known));
            let (_, nearest) = rated.min().filter(|(edits, _)| *edits <= MOST_EDITS)?;
            let variable = name.to_owned();
            Some(Mistyped { variable, nearest })
        });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_variable_is_told_and_a_foreign_one_is_not() {
        let environment = Environment::of(&[
            ("TRELLIS_LISTEN_PROT", "1"),
            ("TRELLIS_LISTEN_PORT", "2"),
            ("TRELLIS_API_KEY", "k"),
            ("TRELLIS_NOTEBOOK", "x"),
        ]);
        let told: Vec<_> = find(&environment).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            ["`$TRELLIS_LISTEN_PROT` is not read by anything: did you mean `$TRELLIS_LISTEN_PORT`?"]
        );
    }
}
