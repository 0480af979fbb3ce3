//! Reads `application/x-www-form-urlencoded` as it comes: pictures in base64 are much too long to be kept in memory.
//!
//! Format: the WHATWG URL standard, section 5.1, but that a `+` stays one: a client that forgets to escape its base64
//! means it so, and nothing else here has blanks.

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// A field of this name begins.
    Begin(String),
    /// The next bytes of its value.
    Bytes(Vec<u8>),
    /// It is over.
    End,
}

/// No field that anybody asks for has a longer name.
const LONGEST_NAME: usize = 64;

/// A form that is read.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    name: Vec<u8>,
    value: Option<Vec<u8>>,
    /// An escape that has begun: `%` and at most one digit.
    escape: Vec<u8>,
}

impl Pairs {
    pub(super) fn feed(&mut self, part: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for byte in part {
            match (byte, &self.value) {
                (b'&', _) => self.finish(&mut events),
                (b'=', None) => self.begin(&mut events),
                _ => self.push(*byte),
            }
        }
        self.flush(&mut events);
        events
    }

    /// The form is over.
    pub(super) fn end(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        self.finish(&mut events);
        events
    }

    fn push(&mut self, byte: u8) {
        if byte == b'%' || !self.escape.is_empty() {
            self.escape.push(byte);
            if self.escape.len() < 3 {
                return;
            }
            let escape = std::mem::take(&mut self.escape);
            let digits = std::str::from_utf8(&escape[1..]).unwrap_or_default();
            match u8::from_str_radix(digits, 16) {
                Ok(byte) => self.keep(&[byte]),
                Err(_) => self.keep(&escape),
            }
        } else {
            self.keep(&[byte]);
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        match &mut self.value {
            Some(value) => value.extend_from_slice(bytes),
            None if self.name.len() <= LONGEST_NAME => self.name.extend_from_slice(bytes),
            None => {}
        }
    }

    fn begin(&mut self, events: &mut Vec<Event>) {
        let escape = std::mem::take(&mut self.escape);
        self.keep(&escape);
        let name = std::mem::take(&mut self.name);
        events.push(Event::Begin(String::from_utf8_lossy(&name).into_owned()));
        self.value = Some(Vec::new());
    }

    fn flush(&mut self, events: &mut Vec<Event>) {
        let value = self.value.as_mut().filter(|value| !value.is_empty());
        if let Some(value) = value {
            events.push(Event::Bytes(std::mem::take(value)));
        }
    }

    fn finish(&mut self, events: &mut Vec<Event>) {
        if self.value.is_none() {
            // A name alone has an empty value.
            self.begin(events);
        }
        let escape = std::mem::take(&mut self.escape);
        self.keep(&escape);
        self.flush(events);
        events.push(Event::End);
        self.value = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(parts: &[&[u8]]) -> Vec<(String, String)> {
        let mut reading = Pairs::default();
        let mut events: Vec<Event> = parts.iter().flat_map(|part| reading.feed(part)).collect();
        events.extend(reading.end());
        let mut pairs: Vec<(String, Vec<u8>)> = Vec::new();
        for event in events {
            match event {
                Event::Begin(name) => pairs.push((name, Vec::new())),
                Event::Bytes(bytes) => pairs.last_mut().unwrap().1.extend(bytes),
                Event::End => {}
            }
        }
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        pairs
            .into_iter()
            .map(|(name, value)| (name, text(value)))
            .collect()
    }

    #[test]
    fn it_reads_the_same_however_it_is_cut() {
        let form = b"seed=7&image_base64=data%3Aimage%2Fpng%3Bbase64%2CiVB%2Bx+y%3D&a&%zz=%4&=%";
        let expected = [
            ("seed", "7"),
            ("image_base64", "data:image/png;base64,iVB+x+y="),
            ("a", ""),
            ("%zz", "%4"),
            ("", "%"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(pairs(&[form]), expected);
        for at in 0..form.len() {
            assert_eq!(pairs(&[&form[..at], &form[at..]]), expected, "{at}");
        }
    }
}
