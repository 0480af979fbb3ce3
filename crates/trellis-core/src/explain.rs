//! What went wrong, as the engines say it: a stable kind, a sentence, what to do.
//!
//! The sentence is `Display`'s and its causes are `source`'s. Not here: whether it ends a command or a request, and
//! with which code; the edges decide that.

use std::borrow::Cow;
use std::error::Error;

use serde::Serialize;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It works, but something is lost, or a person should look.
    Warning,
    /// It fails, or is not what it is said to be.
    Error,
}

/// An error or a finding that explains itself to people and to scripts.
pub trait Explain: Error {
    /// Stable name in JSON, logs, docs and tests.
    fn kind(&self) -> &'static str;

    /// What to do, one sentence; empty where nothing is to be done.
    fn advice(&self) -> Cow<'static, str>;

    /// How much it matters; an error unless the variant says otherwise.
    fn severity(&self) -> Severity {
        Severity::Error
    }

    /// The sentence with its causes, as one line.
    fn sentence(&self) -> String {
        let mut sentence = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            sentence = format!("{sentence}: {error}");
            cause = error.source();
        }
        sentence
    }
}

/// A finding as scripts read it.
#[derive(Debug, Serialize)]
pub struct Told {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<Severity>,
    message: String,
    advice: Cow<'static, str>,
}

impl Told {
    /// Of a kind of finding that is always an error.
    pub fn error(found: &impl Explain) -> Self {
        Self {
            kind: found.kind(),
            severity: None,
            message: found.sentence(),
            advice: found.advice(),
        }
    }

    /// Of findings that may be warnings.
    pub fn weighed(found: &impl Explain) -> Self {
        let severity = Some(found.severity());
        Self {
            severity,
            ..Self::error(found)
        }
    }
}

/// Declares an enum of errors, each variant with its kind, its advice and, if it is not always an error, its
/// severity beside it; [`Explain`] follows from them. All are expressions that may use the variant's fields, as
/// references.
///
/// ```
/// use trellis_core::{Explain as _, Severity};
///
/// trellis_core::explained! {
///     /// Why there is no tea.
///     #[derive(Debug, thiserror::Error)]
///     #[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
///     pub enum NoTea {
///         #[error("the kettle is empty")]
///         Empty = "empty", "fill it";
///         #[error("the water has {celsius} °C")]
///         Cold { celsius: u32 } = "cold", format!("wait until it has {} more", 100 - celsius), Severity::Warning;
///     }
/// }
/// let error = NoTea::Cold { celsius: 60 };
/// assert_eq!((error.kind(), &*error.advice()), ("cold", "wait until it has 40 more"));
/// assert_eq!((error.severity(), NoTea::Empty.severity()), (Severity::Warning, Severity::Error));
/// ```
#[macro_export]
macro_rules! explained {
    ($(#[$meta:meta])* $vis:vis enum $Enum:ident {
        $($(#[$of_variant:meta])* $Variant:ident
            $({ $($(#[$of_field:meta])* $field:ident: $Type:ty),+ $(,)? })?
            = $kind:expr, $advice:expr $(, $severity:expr)?;)+
    }) => {
        $(#[$meta])*
        $vis enum $Enum {
            $($(#[$of_variant])* $Variant $({ $($(#[$of_field])* $field: $Type),+ })?,)+
        }

        #[allow(unused_variables, clippy::match_same_arms, reason = "each variant has a line of its own")]
        impl $crate::Explain for $Enum {
            fn kind(&self) -> &'static str {
                match self { $(Self::$Variant $({ $($field),+ })? => $kind,)+ }
            }

            fn advice(&self) -> ::std::borrow::Cow<'static, str> {
                match self { $(Self::$Variant $({ $($field),+ })? => $advice.into(),)+ }
            }

            fn severity(&self) -> $crate::Severity {
                let severity = $crate::Severity::Error;
                match self {
                    $(Self::$Variant $({ $($field),+ })? => { $(let severity = $severity;)? severity })+
                }
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::Explain as _;

    crate::explained! {
        #[derive(Debug, thiserror::Error)]
        enum Trouble {
            #[error("`{path}` cannot be read")]
            Read { path: String, #[source] source: io::Error } = match source.kind() {
                io::ErrorKind::NotFound => "missing",
                _ => "unreadable",
            }, format!("look at `{path}`");
        }
    }

    #[test]
    fn the_sentence_has_all_causes_and_kind_and_advice_read_the_fields() {
        let inner = io::Error::new(io::ErrorKind::NotFound, "no such file");
        let error = Trouble::Read {
            path: "a".to_owned(),
            source: inner,
        };
        assert_eq!(error.sentence(), "`a` cannot be read: no such file");
        assert_eq!((error.kind(), &*error.advice()), ("missing", "look at `a`"));
    }
}
