//! The part behind the `?`. As in Nix a `+` is a plus, not a space.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// All but what may stand anywhere.
pub(super) const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What `%` hides; none if that is not UTF-8.
pub(super) fn decode(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(Into::into)
}

/// Parameters, taken out one by one.
pub(super) struct Query<'a> {
    /// Decoded name, decoded value, as written.
    pairs: Vec<(String, String, &'a str)>,
}

impl<'a> Query<'a> {
    pub(super) fn parse(query: &'a str) -> Option<Self> {
        let pairs = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Some((decode(name)?, decode(value)?, pair))
            })
            .collect::<Option<_>>()?;
        Some(Self { pairs })
    }

    /// All values of one name.
    pub(super) fn take_all(&mut self, name: &str) -> Vec<String> {
        self.pairs
            .extract_if(.., |(other, ..)| other == name)
            .map(|(_, value, _)| value)
            .collect()
    }

    /// The last value of one name.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        self.take_all(name).pop()
    }

    /// Whether it is set to `1`, which is the only yes.
    pub(super) fn take_flag(&mut self, name: &str) -> bool {
        self.take(name).is_some_and(|value| value == "1")
    }

    /// What is left, as it was written.
    pub(super) fn rest(&self) -> Option<String> {
        let rest: Vec<&str> = self.pairs.iter().map(|(.., written)| *written).collect();
        (!rest.is_empty()).then(|| rest.join("&"))
    }
}

/// Appends parameters to an address that may have some.
pub(super) struct Parameters {
    text: String,
    separator: char,
}

impl Parameters {
    pub(super) fn after(text: String) -> Self {
        let separator = if text.contains('?') { '&' } else { '?' };
        Self { text, separator }
    }

    pub(super) fn add(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text.push(self.separator);
            self.text.push_str(name);
            self.text.push('=');
            self.text.extend(utf8_percent_encode(value, RESERVED));
            self.separator = '&';
        }
    }

    pub(super) fn add_flag(&mut self, name: &str, set: bool) {
        self.add(name, set.then_some("1"));
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}
