//! One parameter: its name, what it is for, which values it takes, and its default.
//!
//! The tables made of these ([`super::Params::PARAMETERS`], [`super::Model::parameters`]) are the only place
//! where any of that stands. Not here: what a request holds (`patch.rs`).

use std::fmt;

use crate::Format;

/// A parameter of a generation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter {
    /// The name in JSON.
    pub name: &'static str,
    /// What it is for: the opening of a sentence, without values and full stop.
    pub about: &'static str,
    /// Which values it takes.
    pub kind: Kind,
}

/// The values of a parameter, and the one that is taken where none is given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A whole number.
    Whole {
        /// The smallest.
        least: i64,
        /// The largest.
        most: i64,
        /// From one value to the next.
        step: i64,
        /// `None`: a random one.
        default: Option<i64>,
    },
    /// A number.
    Real {
        /// The smallest.
        least: f64,
        /// The largest.
        most: f64,
        /// The default.
        default: f64,
    },
    /// `true` or `false`.
    Flag {
        /// The default.
        default: bool,
    },
    /// One of a few names.
    Choice {
        /// All of them.
        names: &'static [&'static str],
        /// The default; `None`: as the server is set, see [`super::Defaults`].
        default: Option<&'static str>,
        /// The name of their schema in the HTTP contract, where they have one.
        schema: Option<&'static str>,
    },
    /// Two numbers from 0 to 1, the smaller one first.
    Interval {
        /// The default.
        default: [f64; 2],
    },
    /// Formats, at least one; a GLB by default.
    Formats,
}

/// A value as somebody gave it, of the right type but not checked.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// A whole number.
    Whole(i64),
    /// A number.
    Real(f64),
    /// `true` or `false`.
    Flag(bool),
    /// A name.
    Name(&'static str),
    /// Two numbers.
    Interval([f64; 2]),
    /// Formats.
    Formats(Vec<Format>),
}

/// A parameter whose value is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` is {value}: {allowed}")]
pub struct ParamError {
    /// The parameter's name.
    pub field: &'static str,
    /// What was given.
    pub value: String,
    /// What is allowed.
    pub allowed: String,
}

impl Kind {
    /// From `least` to `most`.
    pub(super) const fn whole(least: i64, most: i64, default: i64) -> Self {
        Self::steps(least, most, 1, default)
    }

    /// From `least` to `most` by `step`.
    pub(super) const fn steps(least: i64, most: i64, step: i64, default: i64) -> Self {
        Self::Whole {
            least,
            most,
            step,
            default: Some(default),
        }
    }

    /// From the first to the last.
    pub(super) const fn interval(first: f64, last: f64) -> Self {
        Self::Interval {
            default: [first, last],
        }
    }

    /// From `least` to `most`.
    pub(super) const fn real(least: f64, most: f64, default: f64) -> Self {
        Self::Real { least, most, default }
    }

    /// The value that is taken where none is given; `None` where that is not the same everywhere, see
    /// [`Kind::without_default`].
    pub fn default(&self) -> Option<Given> {
        Some(match *self {
            Self::Whole { default, .. } => Given::Whole(default?),
            Self::Real { default, .. } => Given::Real(default),
            Self::Flag { default } => Given::Flag(default),
            Self::Choice { default, .. } => Given::Name(default?),
            Self::Interval { default } => Given::Interval(default),
            Self::Formats => Given::Formats(vec![Format::Glb]),
        })
    }

    /// What is taken where none is given, in words, where it is not the same everywhere.
    pub fn without_default(&self) -> Option<&'static str> {
        match self {
            Self::Whole { default: None, .. } => Some("a random one"),
            Self::Choice { default: None, .. } => Some("as the server is set"),
            _ => None,
        }
    }

    /// The allowed numbers as people write them, such as `1 to 50`; `None` for what is not a number.
    pub fn range(&self) -> Option<String> {
        match *self {
            Self::Whole {
                least, most, step: 1, ..
            } => Some(format!("{least} to {most}")),
            Self::Whole {
                least, most, step, ..
            } => {
                let count = usize::try_from((most - least) / step).unwrap_or_default();
                let mut values = (0..).map(|index| least + index * step);
                let first: Vec<String> = values
                    .by_ref()
                    .take(count)
                    .map(|value| value.to_string())
                    .collect();
                Some(format!("{} or {most}", first.join(", ")))
            }
            Self::Real { least, most, .. } => Some(format!("{least} to {most}")),
            Self::Interval { .. } => Some("two numbers from 0 to 1, the smaller one first".to_owned()),
            Self::Flag { .. } | Self::Choice { .. } | Self::Formats => None,
        }
    }

    fn allows(&self, given: &Given) -> bool {
        match (self, given) {
            (
                Self::Whole {
                    least, most, step, ..
                },
                Given::Whole(value),
            ) => (least..=most).contains(&value) && (value - least) % step == 0,
            // NaN is in no range, so it is refused too.
            (Self::Real { least, most, .. }, Given::Real(value)) => (least..=most).contains(&value),
            (Self::Choice { names, .. }, Given::Name(name)) => names.contains(name),
            (Self::Formats, Given::Formats(formats)) => !formats.is_empty(),
            (Self::Flag { .. }, Given::Flag(_)) => true,
            (Self::Interval { .. }, Given::Interval([first, last])) => {
                0.0 <= *first && first <= last && *last <= 1.0
            }
            _ => false,
        }
    }
}

impl Parameter {
    /// The whole sentence but for its full stop: what it is for, and the numbers that it takes.
    pub fn sentence(&self) -> String {
        match (self.kind.range(), self.kind) {
            (Some(range), Kind::Whole { step: 2.., .. } | Kind::Interval { .. }) => {
                format!("{}: {range}", self.about)
            }
            (Some(range), _) => format!("{}, {range}", self.about),
            (None, _) => self.about.to_owned(),
        }
    }

    /// The checked value: that given, or else the default.
    pub(super) fn check<T: FromGiven>(&self, given: Option<&Given>) -> Result<T, ParamError> {
        let value = given.cloned().or_else(|| self.kind.default());
        let allowed = value.clone().filter(|value| self.kind.allows(value));
        allowed
            .and_then(T::from_given)
            .ok_or_else(|| self.refused(value.as_ref()))
    }

    fn refused(&self, value: Option<&Given>) -> ParamError {
        let allowed = match (self.kind.range(), self.kind) {
            (Some(range), Kind::Interval { .. }) => format!("{range}, are allowed"),
            (Some(range), _) => format!("{range} is allowed"),
            (None, Kind::Choice { names, .. }) => format!("choose from `{}`", names.join("`, `")),
            (None, Kind::Formats) => "name at least one format".to_owned(),
            (None, _) => "`true` or `false` is expected".to_owned(),
        };
        ParamError {
            field: self.name,
            value: value.map_or_else(|| "missing".to_owned(), Given::to_string),
            allowed,
        }
    }
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(value) => value.fmt(f),
            Self::Real(value) => value.fmt(f),
            Self::Flag(value) => value.fmt(f),
            Self::Name(value) => value.fmt(f),
            // As the command line takes it.
            Self::Interval([first, last]) => write!(f, "{first},{last}"),
            Self::Formats(formats) if formats.is_empty() => f.write_str("empty"),
            Self::Formats(formats) => {
                let names: Vec<&str> = formats.iter().map(|format| format.name()).collect();
                f.write_str(&names.join(", "))
            }
        }
    }
}

/// The type of a field, made of a value that its parameter allows.
pub(super) trait FromGiven: Sized {
    fn from_given(given: Given) -> Option<Self>;
}

impl FromGiven for u32 {
    fn from_given(given: Given) -> Option<Self> {
        let Given::Whole(value) = given else { return None };
        value.try_into().ok()
    }
}

impl FromGiven for f64 {
    fn from_given(given: Given) -> Option<Self> {
        let Given::Real(value) = given else { return None };
        Some(value)
    }
}

impl FromGiven for bool {
    fn from_given(given: Given) -> Option<Self> {
        let Given::Flag(value) = given else { return None };
        Some(value)
    }
}

impl FromGiven for [f64; 2] {
    fn from_given(given: Given) -> Option<Self> {
        let Given::Interval(value) = given else {
            return None;
        };
        Some(value)
    }
}

/// Without repetition.
impl FromGiven for Vec<Format> {
    fn from_given(given: Given) -> Option<Self> {
        let Given::Formats(asked) = given else { return None };
        let mut formats = Vec::new();
        for format in asked {
            if !formats.contains(&format) {
                formats.push(format);
            }
        }
        Some(formats)
    }
}

macro_rules! into_given {
    ($($type:ty => |$value:ident| $given:expr;)*) => {
        $(impl From<$type> for Given {
            fn from($value: $type) -> Self {
                $given
            }
        })*
    };
}

into_given! {
    i32 => |value| Self::Whole(value.into());
    u32 => |value| Self::Whole(value.into());
    i64 => |value| Self::Whole(value);
    f64 => |value| Self::Real(value);
    bool => |value| Self::Flag(value);
    &'static str => |value| Self::Name(value);
    [f64; 2] => |value| Self::Interval(value);
    Vec<Format> => |value| Self::Formats(value);
}
