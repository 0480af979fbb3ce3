//! Enums with names: each variant and its name stand once.

/// A name that is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not {what}; choose from {}", self.known.join(", "))]
pub struct UnknownName {
    /// What was given, cut to 64 characters.
    pub name: String,
    /// What it should name, with its article: `a format`.
    pub what: &'static str,
    /// The names that are known, each in backticks.
    pub known: &'static [&'static str],
}

/// Declares an enum and the names of its variants, which JSON, logs, commands and the database share:
/// `ALL` in the order of declaration, `name()`, `Display`, `FromStr` and serde's forms all follow from it.
///
/// ```
/// trellis_core::named! {
///     /// What light shows.
///     #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
///     pub enum Light: "a light" {
///         /// Stop.
///         Red = "red",
///         /// Go.
///         Green = "green",
///     }
/// }
/// assert_eq!(Light::ALL.map(Light::name), ["red", "green"]);
/// assert_eq!("green".parse(), Ok(Light::Green));
/// let unknown = "blue".parse::<Light>().unwrap_err();
/// assert_eq!(unknown.to_string(), "`blue` is not a light; choose from `red`, `green`");
/// ```
#[macro_export]
macro_rules! named {
    // The name is a `tt`: derives of other crates do not read a `literal` in an attribute.
    ($(#[$meta:meta])* $vis:vis enum $Enum:ident: $what:literal {
        $($(#[$of_variant:meta])* $Variant:ident = $name:tt,)+
    }) => {
        $(#[$meta])*
        $vis enum $Enum {
            $($(#[$of_variant])* #[serde(rename = $name)] $Variant,)+
        }

        impl $Enum {
            /// All of them, in the order in which they are listed to people.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$Variant),+];

            /// The stable name: in JSON, parameters, logs and the database.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$Variant => $name),+ }
            }
        }

        impl ::std::fmt::Display for $Enum {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl ::std::str::FromStr for $Enum {
            type Err = $crate::UnknownName;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                match name {
                    $($name => Ok(Self::$Variant),)+
                    _ => Err($crate::UnknownName {
                        name: name.chars().take(64).collect(),
                        what: $what,
                        known: &[$(concat!("`", $name, "`")),+],
                    }),
                }
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;
    use std::str::FromStr;

    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use crate::{
        AskedBackend, BackendChoice, FailureKind, Format, JobState, MeshFormat, MultiImageAlgorithm,
        PictureFormat, Priority, RestartKind, Stage, TextureFormat, WebhookEvent, WebhookState,
        WorkerCommand, WorkerState,
    };

    fn one_name<T>(all: &[T], name: fn(T) -> &'static str)
    where
        T: Copy + Debug + PartialEq + Serialize + DeserializeOwned + FromStr<Err: Debug>,
    {
        for &value in all {
            let name = name(value);
            assert_eq!(serde_json::to_value(value).unwrap(), name);
            assert_eq!(serde_json::from_value::<T>(name.into()).unwrap(), value);
            assert_eq!(name.parse::<T>().unwrap(), value);
            // The variant in the case of JSON: a name typed wrongly is seen here.
            assert_eq!(format!("{value:?}").to_lowercase(), name.replace('_', ""));
        }
    }

    #[test]
    fn names_are_the_same_in_json_and_text() {
        one_name(&AskedBackend::ALL, AskedBackend::name);
        one_name(&BackendChoice::ALL, BackendChoice::name);
        one_name(&FailureKind::ALL, FailureKind::name);
        one_name(&Format::ALL, Format::name);
        one_name(&JobState::ALL, JobState::name);
        one_name(&MultiImageAlgorithm::ALL, MultiImageAlgorithm::name);
        one_name(&PictureFormat::ALL, PictureFormat::name);
        one_name(&MeshFormat::ALL, MeshFormat::name);
        one_name(&Priority::ALL, Priority::name);
        one_name(&RestartKind::ALL, RestartKind::name);
        one_name(&Stage::ALL, Stage::name);
        one_name(&TextureFormat::ALL, TextureFormat::name);
        one_name(&WebhookEvent::ALL, WebhookEvent::name);
        one_name(&WebhookState::ALL, WebhookState::name);
        one_name(&WorkerCommand::ALL, WorkerCommand::name);
        one_name(&WorkerState::ALL, WorkerState::name);
    }

    #[test]
    fn an_unknown_name_is_cut_and_the_known_ones_are_listed() {
        let error = "x".repeat(100).parse::<WorkerCommand>().unwrap_err();
        assert_eq!(error.name.len(), 64);
        let listed = "is not a command to a worker; choose from `restart`, `drain`";
        assert!(error.to_string().ends_with(listed), "{error}");
    }
}
