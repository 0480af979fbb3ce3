//! Where a piece of work belongs in a distributed trace: the `traceparent` of a request.
//!
//! Grammar: `VERSION-TRACE-PARENT-FLAGS`, each in lower-case hexadecimal digits, 2, 32, 16 and 2 of them. Source: W3C
//! Trace Context, section 3.2. A later version may go on after another `-`; what is known of it is taken, and passed on
//! as version 00.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A trace and the step in it that asked for this work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TraceParent {
    trace: u128,
    parent: u64,
    flags: u8,
}

/// A text that is not a `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not a `traceparent` of W3C Trace Context")]
pub struct InvalidTraceParent;

/// The flags that are defined: sampled, and random (level 2).
const KNOWN_FLAGS: u8 = 3;

impl TraceParent {
    /// The trace; never 0.
    pub fn trace(self) -> u128 {
        self.trace
    }

    /// The step that asked; never 0.
    pub fn parent(self) -> u64 {
        self.parent
    }

    /// Whether the caller records the trace.
    pub fn is_sampled(self) -> bool {
        self.flags & 1 == 1
    }

    /// The trace as logs and tools show it, 32 digits.
    pub fn trace_id(self) -> String {
        format!("{:032x}", self.trace)
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace, self.parent, self.flags
        )
    }
}

impl FromStr for TraceParent {
    type Err = InvalidTraceParent;

    fn from_str(text: &str) -> Result<Self, InvalidTraceParent> {
        let parsed = || {
            let mut fields = text.splitn(5, '-');
            let version = digits(fields.next()?, 2)?;
            let trace = digits(fields.next()?, 32)?;
            let parent = digits(fields.next()?, 16)?;
            let flags = digits(fields.next()?, 2)?;
            let ends = fields.next().is_none();
            let good = version != 0xff && trace != 0 && parent != 0 && (ends || version > 0);
            good.then_some(Self {
                trace,
                parent: u64::try_from(parent).ok()?,
                flags: u8::try_from(flags).ok()? & KNOWN_FLAGS,
            })
        };
        parsed().ok_or(InvalidTraceParent)
    }
}

/// So many digits and nothing else, not even a sign.
fn digits(text: &str, count: usize) -> Option<u128> {
    let plain = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (text.len() == count && text.bytes().all(plain))
        .then(|| u128::from_str_radix(text, 16).ok())
        .flatten()
}

impl From<TraceParent> for String {
    fn from(trace: TraceParent) -> Self {
        trace.to_string()
    }
}

impl TryFrom<String> for TraceParent {
    type Error = InvalidTraceParent;

    fn try_from(text: String) -> Result<Self, InvalidTraceParent> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_well_formed_is_taken_over_and_nothing_else() {
        let parsed: TraceParent = GOOD.parse().unwrap();
        assert_eq!(parsed.to_string(), GOOD);
        assert_eq!(parsed.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(parsed.is_sampled());
        for bad in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
        ] {
            assert_eq!(bad.parse::<TraceParent>(), Err(InvalidTraceParent), "{bad}");
        }
    }

    #[test]
    fn a_later_version_is_passed_on_as_the_known_one() {
        let (_, rest) = GOOD.split_once('-').unwrap();
        for later in [format!("cc-{rest}"), format!("01-{rest}-more-of-it")] {
            assert_eq!(later.parse::<TraceParent>().unwrap().to_string(), GOOD, "{later}");
        }
        let flags: TraceParent = format!("{}f8", &GOOD[..GOOD.len() - 2]).parse().unwrap();
        assert!(flags.to_string().ends_with("-00") && !flags.is_sampled());
    }
}
