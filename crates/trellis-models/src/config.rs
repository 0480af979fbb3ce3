//! Reads a checkpoint's `NAME.json`: the class to build and its arguments.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::read::{ReadError, read_json};

/// A checkpoint's configuration.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Config {
    /// The class's name in TRELLIS's module of models.
    pub name: String,
    /// Its constructor's arguments.
    pub args: Map<String, Value>,
}

/// An argument that is absent or not what the class takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("argument `{name}` must be {wanted}")]
pub struct BadArgument {
    /// The argument; a dot leads into a nested one.
    pub name: String,
    /// What it must be.
    pub wanted: &'static str,
}

/// Larger than any dimension of any TRELLIS model by three orders of magnitude; keeps products far from
/// overflow.
const MAX_COUNT: u64 = 1 << 24;

impl Config {
    /// Reads and parses the file.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        read_json(path)
    }

    /// A positive whole number that has no default.
    pub fn count(&self, name: &str) -> Result<u64, BadArgument> {
        count(self.args.get(name), name)
    }

    /// A positive whole number, or the class's default where it is absent.
    pub fn count_or(&self, name: &str, default: u64) -> Result<u64, BadArgument> {
        match self.args.get(name) {
            None | Some(Value::Null) => Ok(default),
            given => count(given, name),
        }
    }

    /// A non-empty list of positive whole numbers; `None` where it is absent.
    pub fn counts(&self, name: &str) -> Result<Option<Vec<u64>>, BadArgument> {
        match self.args.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(items)) if !items.is_empty() => {
                let counts = items.iter().map(|item| count(Some(item), name));
                counts.collect::<Result<_, _>>().map(Some)
            }
            Some(_) => Err(BadArgument {
                name: name.to_owned(),
                wanted: "a list of positive whole numbers",
            }),
        }
    }

    /// A whole number inside `representation_config`.
    pub fn representation(&self, name: &str) -> Result<u64, BadArgument> {
        let inner = self.args.get("representation_config").and_then(|v| v.get(name));
        count(inner, &format!("representation_config.{name}"))
    }

    /// A switch inside `representation_config`, false where it is absent.
    pub fn representation_switch(&self, name: &str) -> bool {
        let inner = self.args.get("representation_config").and_then(|v| v.get(name));
        inner.and_then(Value::as_bool).unwrap_or(false)
    }

    /// A text, or the class's default where it is absent.
    pub fn text_or<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.args.get(name).and_then(Value::as_str).unwrap_or(default)
    }

    /// A positive number, or the class's default where it is absent.
    pub fn number_or(&self, name: &str, default: f64) -> Result<f64, BadArgument> {
        match self.args.get(name) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => value
                .as_f64()
                .filter(|number| *number > 0.0 && *number < 1e6)
                .ok_or_else(|| BadArgument {
                    name: name.to_owned(),
                    wanted: "a positive number",
                }),
        }
    }
}

fn count(value: Option<&Value>, name: &str) -> Result<u64, BadArgument> {
    value
        .and_then(Value::as_u64)
        .filter(|count| (1..=MAX_COUNT).contains(count))
        .ok_or_else(|| BadArgument {
            name: name.to_owned(),
            wanted: "a positive whole number",
        })
}
