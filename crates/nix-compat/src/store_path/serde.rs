//! Store paths in JSON: absolute, as Nix prints them.

use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{StorePath, StorePathRef};

impl<S: AsRef<str>> Serialize for StorePath<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.serialize_str(&self.to_absolute_path())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for StorePathRef<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse(<&str>::deserialize(deserializer)?)
    }
}

impl<'de> Deserialize<'de> for StorePath<String> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(parse::<D::Error>(&text)?.to_owned())
    }
}

fn parse<E: Error>(text: &str) -> Result<StorePathRef<'_>, E> {
    StorePathRef::from_absolute_path(text.as_bytes())
        .map_err(|error| E::custom(format_args!("{}: {error}", Unexpected::Str(text))))
}
