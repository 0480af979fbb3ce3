//! Parameters as somebody asks for them: any of those in the tables, of the right type, not checked yet.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::parameter::{FromGiven, Given, Kind, ParamError, Parameter};
use super::quality::Quality;
use super::{Model, Params};
use crate::Format;

/// Parameters as somebody asks for them; what is absent takes its default.
///
/// ```
/// use trellis_core::ParamsPatch;
///
/// let asked = ParamsPatch::default().with("seed", 7).with("mesh_simplify", 0.5);
/// assert_eq!(asked, serde_json::from_str(r#"{"seed": 7, "mesh_simplify": 0.5}"#).unwrap());
/// assert_eq!(asked.resolve(0).unwrap().texture_size(), 1024);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ParamsPatch {
    pub(super) given: BTreeMap<&'static str, Given>,
}

/// What each server decides for itself where a request leaves it open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Defaults {
    /// How near the work stays to TRELLIS's own code, for models that have more than one way.
    pub quality: Quality,
}

/// The names of all parameters of all models.
static NAMES: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| Params::names().iter().map(|parameter| parameter.name).collect());

impl ParamsPatch {
    /// Asks for one more; [`ParamsPatch::resolve`] says what is wrong with it.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Given>) -> Self {
        self.given.insert(name, value.into());
        self
    }

    /// What is asked for under a name.
    pub fn given(&self, name: &str) -> Option<&Given> {
        self.given.get(name)
    }

    /// Asks for this model where none is named; before [`ParamsPatch::or`], which asks for nothing that the model has not.
    #[must_use]
    pub fn or_model(mut self, model: Model) -> Self {
        self.given.entry("model").or_insert(Given::Name(model.name()));
        self
    }

    /// With what a server decides where nothing is asked for.
    #[must_use]
    pub fn or(mut self, defaults: &Defaults) -> Self {
        let Defaults { quality } = *defaults;
        let model = match self.given("model") {
            Some(Given::Name(name)) => name.parse().ok(),
            _ => Some(Model::DEFAULT),
        };
        let table = model.map_or(&[][..], Model::parameters);
        if table.iter().any(|parameter| parameter.name == "quality") {
            self.given.entry("quality").or_insert(quality.into());
        }
        self
    }

    /// Checks every value and fills in defaults; `random_seed` is taken where no seed is given, and what each server decides
    /// is as [`Defaults`] has it without settings, unless [`ParamsPatch::or`] said otherwise.
    pub fn resolve(&self, random_seed: u32) -> Result<Params, ParamError> {
        let mut asked = self.clone().or(&Defaults::default());
        let seed = i64::from(random_seed & (u32::MAX >> 1));
        asked.given.entry("seed").or_insert(Given::Whole(seed));
        let params = Params::checked(&asked)?;
        let model = params.model.model();
        let known = |name: &str| {
            let mut table = Params::PARAMETERS.iter().chain(model.parameters());
            table.any(|parameter| parameter.name == name)
        };
        match self.given.iter().find(|(name, _)| !known(name)) {
            None => Ok(params),
            Some((field, value)) => Err(ParamError {
                field,
                value: value.to_string(),
                allowed: not_of(model, field),
            }),
        }
    }

    pub(super) fn value<T: FromGiven>(&self, parameter: &Parameter) -> Result<T, ParamError> {
        parameter.check(self.given(parameter.name))
    }

    pub(super) fn model(&self, parameter: &Parameter) -> Result<Model, ParamError> {
        self.value(parameter)
    }
}

/// That a model has no parameter of that name, and which ones have.
fn not_of(model: Model, field: &str) -> String {
    let has = |other: &Model| other.parameters().iter().any(|parameter| parameter.name == field);
    let others: Vec<String> = Model::ALL
        .into_iter()
        .filter(has)
        .map(|other| format!("`{}`", other.name()))
        .collect();
    let has_not = format!("`{}` has no such parameter", model.name());
    if others.is_empty() {
        return has_not;
    }
    format!("{has_not}; {} has it", others.join(" or "))
}

impl FromGiven for Model {
    fn from_given(given: Given) -> Option<Self> {
        let Given::Name(name) = given else { return None };
        name.parse().ok()
    }
}

/// In the order of the tables.
impl Serialize for ParamsPatch {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.given.len()))?;
        for name in NAMES.iter() {
            match self.given.get(name) {
                None => {}
                Some(Given::Whole(value)) => map.serialize_entry(name, value)?,
                Some(Given::Real(value)) => map.serialize_entry(name, value)?,
                Some(Given::Flag(value)) => map.serialize_entry(name, value)?,
                Some(Given::Name(value)) => map.serialize_entry(name, value)?,
                Some(Given::Interval(value)) => map.serialize_entry(name, value)?,
                Some(Given::Formats(value)) => map.serialize_entry(name, value)?,
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for ParamsPatch {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = ParamsPatch;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ParamsPatch, A::Error> {
        let mut patch = ParamsPatch::default();
        let mut seen = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            let parameter = Params::names().iter().find(|parameter| parameter.name == name);
            let parameter = parameter.ok_or_else(|| A::Error::unknown_field(&name, &NAMES))?;
            if seen.contains(&parameter.name) {
                return Err(A::Error::duplicate_field(parameter.name));
            }
            seen.push(parameter.name);
            let given = match parameter.kind() {
                Kind::Whole { .. } => map.next_value::<Option<i64>>()?.map(Given::Whole),
                Kind::Real { .. } => map.next_value::<Option<f64>>()?.map(Given::Real),
                Kind::Flag { .. } => map.next_value::<Option<bool>>()?.map(Given::Flag),
                Kind::Interval { .. } => map.next_value::<Option<[f64; 2]>>()?.map(Given::Interval),
                Kind::Formats => map.next_value::<Option<Vec<Format>>>()?.map(Given::Formats),
                Kind::Choice { names, .. } => map.next_value_seed(OneOf(names))?.map(Given::Name),
            };
            // `null` is as good as absent.
            if let Some(given) = given {
                patch.given.insert(parameter.name, given);
            }
        }
        Ok(patch)
    }
}

/// Reads one of these names, or `null`.
struct OneOf(&'static [&'static str]);

impl<'de> serde::de::DeserializeSeed<'de> for OneOf {
    type Value = Option<&'static str>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        let Some(given) = Option::<String>::deserialize(from)? else {
            return Ok(None);
        };
        let known = self.0.iter().copied().find(|name| *name == given);
        match known {
            Some(name) => Ok(Some(name)),
            None => Err(D::Error::unknown_variant(&given, self.0)),
        }
    }
}
