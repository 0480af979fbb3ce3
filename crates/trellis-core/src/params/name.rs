//! A parameter by its name: one or several models have it, each with values of its own.
//!
//! A request is read, and described to people and programs, before its model is known.

use std::fmt::Write as _;

use super::Model;
use super::parameter::{Given, Kind, Parameter};

/// A name that can be asked for. Every model that has it takes the same type.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterName {
    /// The name in JSON.
    pub name: &'static str,
    /// The parameter of each model; without a model that of all.
    forms: Vec<(Option<Model>, Parameter)>,
}

impl ParameterName {
    /// Each name once, in the order in which they first come.
    pub(super) fn all(parameters: impl Iterator<Item = (Option<Model>, &'static Parameter)>) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for (model, parameter) in parameters {
            let form = (model, *parameter);
            match all.iter_mut().find(|one| one.name == parameter.name) {
                Some(one) => one.forms.push(form),
                None => all.push(Self {
                    name: parameter.name,
                    forms: vec![form],
                }),
            }
        }
        all
    }

    /// The models that have it, where some have not.
    pub fn models(&self) -> Option<Vec<Model>> {
        let models: Option<Vec<Model>> = self.forms.iter().map(|(model, _)| *model).collect();
        models.filter(|models| models.len() < Model::ALL.len())
    }

    /// Its values as far as any model takes them. A default is the first model's.
    pub fn kind(&self) -> Kind {
        let [(_, first), others @ ..] = self.forms.as_slice() else {
            unreachable!("a name has a form")
        };
        let others = others.iter().map(|(_, parameter)| parameter.kind);
        others.fold(first.kind, widest)
    }

    /// What is taken where none is given, if it is the same for all models that have it.
    pub fn default(&self) -> Option<Given> {
        let default = self.forms[0].1.kind.default().filter(|_| !self.is_the_server_s());
        let mut forms = self.forms.iter();
        let same = forms.all(|(_, other)| other.kind.default() == default);
        default.filter(|_| same)
    }

    /// The defaults in words: one, or that of each model; `None` for a random one.
    pub fn default_in_words(&self) -> Option<String> {
        if self.is_the_server_s() {
            return Some("the server's".to_owned());
        }
        self.each(|parameter| parameter.kind.default().map(|default| default.to_string()))
    }

    /// The whole sentence but for its full stop: what it is for, the numbers that it takes, and which models have it.
    pub fn sentence(&self) -> String {
        let mut sentence = self.forms[0].1.sentence();
        if self.range_differs() {
            let ranges = self.each(|parameter| parameter.kind.range()).unwrap_or_default();
            sentence = format!("{}: {ranges}", self.forms[0].1.about);
        }
        if let Some(models) = self.models() {
            let names: Vec<&str> = models.iter().map(|model| model.name()).collect();
            write!(sentence, " (`{}` alone)", names.join("`, `")).expect("a text grows");
        }
        sentence
    }

    /// Whether every server has a default of its own.
    fn is_the_server_s(&self) -> bool {
        self.name == "model"
    }

    fn range_differs(&self) -> bool {
        let range = self.forms[0].1.kind.range();
        self.forms.iter().any(|(_, other)| other.kind.range() != range)
    }

    /// Something of the first model's, and that of the others where it is another.
    fn each(&self, of: impl Fn(&Parameter) -> Option<String>) -> Option<String> {
        let first = of(&self.forms[0].1)?;
        let others = self.forms[1..].iter().filter_map(|(model, parameter)| {
            let other = of(parameter).filter(|other| *other != first)?;
            Some(format!("; for `{}` {other}", (*model)?.name()))
        });
        Some(first.clone() + &others.collect::<String>())
    }
}

/// What either kind takes, or more where there are gaps between.
fn widest(a: Kind, b: Kind) -> Kind {
    match (a, b) {
        (
            Kind::Whole {
                least,
                most,
                step,
                default,
            },
            Kind::Whole {
                least: other_least,
                most: other_most,
                step: other_step,
                ..
            },
        ) => Kind::Whole {
            least: least.min(other_least),
            most: most.max(other_most),
            step: greatest_common_divisor(step, other_step),
            default,
        },
        (
            Kind::Real { least, most, default },
            Kind::Real {
                least: other_least,
                most: other_most,
                ..
            },
        ) => Kind::Real {
            least: least.min(other_least),
            most: most.max(other_most),
            default,
        },
        (kind, _) => kind,
    }
}

fn greatest_common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}
