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
    /// Decoded name, decoded value if that is UTF-8, as written.
    pairs: Vec<(String, Option<String>, &'a str)>,
    /// Whether all that was taken was UTF-8. What is left may hold any bytes.
    pub(super) is_readable: bool,
}

impl<'a> Query<'a> {
    pub(super) fn parse(query: &'a str) -> Self {
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name).unwrap_or_default(), decode(value), pair)
        });
        Self {
            pairs: pairs.collect(),
            is_readable: true,
        }
    }

    /// All values of one name.
    pub(super) fn take_all(&mut self, name: &str) -> Vec<String> {
        let values: Vec<_> = self.pairs.extract_if(.., |(other, ..)| other == name).collect();
        self.is_readable &= values.iter().all(|(_, value, _)| value.is_some());
        values.into_iter().filter_map(|(_, value, _)| value).collect()
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

/// An address that may have parameters, and more of them, which are written in the order of their names.
pub(super) struct Parameters {
    address: String,
    added: Vec<String>,
}

impl Parameters {
    pub(super) fn after(address: String) -> Self {
        Self {
            address,
            added: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.added
                .push(format!("{name}={}", utf8_percent_encode(value, RESERVED)));
        }
    }

    pub(super) fn add_flag(&mut self, name: &str, set: bool) {
        self.add(name, set.then_some("1"));
    }

    pub(super) fn into_text(mut self) -> String {
        // Several values of one name keep their order.
        self.added
            .sort_by(|one, other| one.split('=').next().cmp(&other.split('=').next()));
        for parameter in self.added {
            self.address
                .push(if self.address.contains('?') { '&' } else { '?' });
            self.address.push_str(&parameter);
        }
        self.address
    }
}
