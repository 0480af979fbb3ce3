//! Fields of JSON by their names, wherever a submission has them.
//!
//! Reasons name the field and are cut: what a client sent in the wrong place may be a whole picture.
//! Not here: the whole of a JSON body, which is read as it comes (`json/document.rs`).

use std::fmt;

use serde::de::{DeserializeOwned, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use trellis_core::{Format, ParamsPatch, WebhookEvent, plain_words};
use trellis_jobs::Webhook;
use trellis_webhook::WebhookError;

use crate::AppState;
use crate::request_error::RequestError;

/// The most JSON of a submission besides its pictures, bytes. All parameters together need a twentieth of it.
pub(crate) const MOST_JSON_BYTES: usize = 64 << 10;
/// The longest reason that is given, in characters.
pub(super) const LONGEST_REASON: usize = 300;
/// The longest name that is repeated, in characters.
pub(super) const LONGEST_NAME: usize = 64;

/// Reads a JSON object; text that is not JSON and JSON of another form are told apart.
pub(crate) fn fields(place: &'static str, text: &[u8]) -> Result<Map<String, Value>, RequestError> {
    let text = without_mark(text);
    if let Some(reason) = no_text(text) {
        let reason = reason.to_owned();
        return Err(RequestError::MalformedJson { place, reason });
    }
    match value(place, text)? {
        Value::Object(fields) => Ok(fields),
        other => {
            let error = Map::<String, Value>::deserialize(other).map(drop);
            let reason = error.map_or_else(|error| in_short(&error), |()| String::new());
            Err(RequestError::InvalidJson { place, reason })
        }
    }
}

/// Reads JSON in which no object has a name twice.
pub(super) fn value(place: &'static str, text: &[u8]) -> Result<Value, RequestError> {
    let Unique(value) = serde_json::from_slice(text).map_err(|error: serde_json::Error| {
        let reason = in_short(&error);
        match error.classify() {
            serde_json::error::Category::Data => RequestError::InvalidJson { place, reason },
            _ => RequestError::MalformedJson { place, reason },
        }
    })?;
    Ok(value)
}

/// In plain words and not too long.
pub(super) fn in_short(error: &serde_json::Error) -> String {
    shortened(&plain_words(&error.to_string()), LONGEST_REASON)
}

/// A byte order mark, as some programs on Windows write it, may be passed over (RFC 8259, section 8.1).
pub(super) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// What is there instead of text in UTF-8, where it is known.
pub(super) fn no_text(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x1F, 0x8B, ..] => Some("it is compressed with gzip, and this server does not decompress bodies"),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => Some("it is UTF-16; send it as UTF-8"),
        _ if bytes.trim_ascii().is_empty() => Some("it is empty"),
        _ => None,
    }
}

/// JSON whose objects have each name once. Which of two values a program takes differs from program to program.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(UniqueVisitor).map(Self)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Unique(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some((name, Unique(value))) = object.next_entry::<String, _>()? {
            if fields.contains_key(&name) {
                return Err(A::Error::custom(given_twice(&name)));
            }
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }
}

/// In the words of serde, which are put plainly later.
pub(super) fn given_twice(name: &str) -> String {
    format!("duplicate field `{}`", shortened(name, LONGEST_NAME))
}

/// The parameter that a name outside of `params` means: `formats`, also as `format`; `stl-size-mm`.
pub(super) fn parameter_meant(name: &str) -> Option<String> {
    let plain = name.to_ascii_lowercase().replace('-', "_");
    let names = [plain.clone(), format!("{plain}s")];
    names.into_iter().find(|name| {
        let alone = Map::from_iter([(name.clone(), Value::Null)]);
        named::<ParamsPatch>(alone).is_ok()
    })
}

/// Refuses an unknown format, with those that this server makes. What is known and not made here is
/// told by the backends.
pub(super) fn known_formats(state: &AppState, params: &Map<String, Value>) -> Result<(), RequestError> {
    let asked = params
        .get("formats")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let unknown = asked
        .filter_map(Value::as_str)
        .find(|name| name.parse::<Format>().is_err());
    let Some(name) = unknown else {
        return Ok(());
    };
    let backends = state.registry.all();
    let makes = |format: &Format| {
        let mut able = backends.iter().map(|backend| &backend.capabilities().formats);
        able.any(|formats| formats.contains(format))
    };
    Err(RequestError::UnknownFormat {
        name: name.chars().take(64).collect(),
        made: Format::ALL.into_iter().filter(makes).collect(),
    })
}

/// The webhook that is asked for, provided that this server may send to it.
pub(super) fn webhook(
    state: &AppState,
    url: Option<&str>,
    events: Option<Vec<WebhookEvent>>,
) -> Result<Option<Webhook>, WebhookError> {
    let Some(url) = url else {
        return if events.is_some() {
            Err(WebhookError::NoUrl)
        } else {
            Ok(None)
        };
    };
    let rules = state.webhooks.as_ref().ok_or(WebhookError::Off)?;
    rules.webhook(url, events).map(Some)
}

/// Reads fields by their names; the reason for a refusal names the field.
pub(crate) fn named<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, String> {
    serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| {
        let path = error.path().to_string();
        let short = shortened(&path, LONGEST_NAME);
        let reason = plain_words(&error.inner().to_string()).replace(&path, &short);
        let reason = shortened(&reason, LONGEST_REASON);
        match reason.strip_prefix('`') {
            // An unknown field is named by the reason itself.
            Some(rest) if rest.starts_with(&short) => reason,
            // As is a field of the object within.
            Some(rest) if path == "params" => format!("`params.{rest}"),
            _ if path == "." => reason,
            _ => format!("`{short}`: {reason}"),
        }
    })
}

/// What the client sent may be repeated in a reason, and be a whole picture.
pub(super) fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some((end, _)) => format!("{} …", &text[..end]),
    }
}
