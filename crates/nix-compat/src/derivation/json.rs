//! Derivations as JSON, as `nix derivation show` prints them (keyed by path there; one of them here).
//!
//! Read are the shapes of Nix 2.3 to 2.31: an input's outputs as a list or under `outputs`; a fixed output's
//! `hashAlgo` with its method (`r:sha256`) or with `method` beside it; hashes in any encoding. Keys not known
//! here (`name`) are passed over. Written is the older shape: lists, `r:sha256`, and SRI hashes.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny};

use super::Output;
use super::output::with_method;
use crate::nixhash::{CAHash, HashAlgo, NixHash};
use crate::store_path::StorePath;

/// Variables as strings: JSON has no other bytes.
pub(super) mod environment {
    use std::collections::BTreeMap;

    use bstr::BString;
    use serde::de::{Deserialize, Deserializer};
    use serde::ser::{Error, SerializeMap, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(
        environment: &BTreeMap<String, BString>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(environment.len()))?;
        for (key, value) in environment {
            let text = str::from_utf8(value).map_err(|_| {
                S::Error::custom(format!("the variable `{key}` is not UTF-8, which JSON asks for"))
            })?;
            map.serialize_entry(key, text)?;
        }
        map.end()
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<String, BString>, D::Error> {
        let texts = BTreeMap::<String, String>::deserialize(deserializer)?;
        Ok(texts
            .into_iter()
            .map(|(key, value)| (key, value.into()))
            .collect())
    }
}

#[derive(serde::Deserialize)]
#[serde(
    untagged,
    expecting = "expected a list of outputs, or an object with `outputs`"
)]
enum InputOutputs {
    List(BTreeSet<String>),
    #[serde(rename_all = "camelCase")]
    Object {
        outputs: BTreeSet<String>,
        #[serde(default)]
        #[expect(clippy::zero_sized_map_values, reason = "in JSON it is a map")]
        dynamic_outputs: BTreeMap<String, IgnoredAny>,
    },
}

pub(super) fn input_derivations<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<StorePath<String>, BTreeSet<String>>, D::Error> {
    let inputs = BTreeMap::<StorePath<String>, InputOutputs>::deserialize(deserializer)?;
    inputs
        .into_iter()
        .map(|(path, outputs)| match outputs {
            InputOutputs::List(outputs) => Ok((path, outputs)),
            InputOutputs::Object { outputs, dynamic_outputs } if dynamic_outputs.is_empty() => {
                Ok((path, outputs))
            }
            InputOutputs::Object { .. } => Err(D::Error::custom(format!(
                "it uses derivations that `{path}` makes (dynamic derivations), which this program does not know"
            ))),
        })
        .collect()
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenOutput {
    path: Option<StorePath<String>>,
    hash: Option<String>,
    hash_algo: Option<String>,
    method: Option<String>,
}

impl<'de> Deserialize<'de> for Output {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = WrittenOutput::deserialize(deserializer)?;
        let ca_hash = written.ca_hash().map_err(D::Error::custom)?;
        Ok(Self {
            path: written.path,
            ca_hash,
        })
    }
}

impl WrittenOutput {
    fn ca_hash(&self) -> Result<Option<CAHash>, String> {
        let (hash, algo) = match (&self.hash, &self.hash_algo) {
            (None, None) => return Ok(None),
            (None, Some(_)) => {
                return Err("an output is content-addressed and gets its path only by a build".to_owned());
            }
            (Some(hash), algo) => (hash, algo.as_deref()),
        };
        let (prefix, algo) = match algo.map(|algo| algo.split_once(':').unwrap_or(("", algo))) {
            Some((prefix, algo)) => (
                prefix,
                Some(HashAlgo::try_from(algo).map_err(|error| error.to_string())?),
            ),
            None => ("", None),
        };
        let method = match self.method.as_deref() {
            None => prefix,
            Some("flat") => "",
            Some("nar" | "recursive") => "r",
            Some(other) => other,
        };
        let hash =
            NixHash::from_str(hash, algo).map_err(|error| format!("the output's hash `{hash}`: {error}"))?;
        with_method(method, hash)
            .map(Some)
            .ok_or_else(|| format!("an output is hashed by `{method}`, which this program does not know"))
    }
}
