//! The two macros behind the parameters: a set of them, and the list of models.

/// A struct of checked parameters with the table that its fields are checked by. Each line is a field: what it
/// is for, its type, and its kind. `=> model` is the place of the model's name and own parameters.
macro_rules! parameters {
    (
        $(#[$outer:meta])*
        pub struct $set:ident {
            $(#[doc = $about:literal] $(#[$meta:meta])* $name:ident: $type:ty = $kind:expr;)*
            $(=> model: #[doc = $model_about:literal];
            $(#[doc = $late_about:literal] $(#[$late_meta:meta])* $late:ident: $late_type:ty = $late_kind:expr;)*)?
        }
    ) => {
        $(#[$outer])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct $set {
            $(#[doc = $about] $(#[$meta])* pub $name: $type,)*
            $(#[doc = $model_about]
            #[serde(flatten, deserialize_with = "crate::params::with_the_default_model")]
            pub model: $crate::params::ModelParams,
            $(#[doc = $late_about] $(#[$late_meta])* pub $late: $late_type,)*)?
        }

        impl $set {
            /// What stands here, in the order of the fields.
            pub const PARAMETERS: &'static [$crate::params::Parameter] = &[
                $($crate::params::Parameter {
                    name: stringify!($name), about: $about.trim_ascii(), kind: $kind,
                },)*
                $($crate::params::Parameter {
                    name: "model", about: $model_about.trim_ascii(), kind: $crate::params::Model::KIND,
                },
                $($crate::params::Parameter {
                    name: stringify!($late), about: $late_about.trim_ascii(), kind: $late_kind,
                },)*)?
            ];

            /// Checks each value and fills in defaults.
            pub(in crate::params) fn checked(
                patch: &$crate::params::ParamsPatch,
            ) -> Result<Self, $crate::params::ParamError> {
                let mut table = Self::PARAMETERS.iter();
                let mut next = || table.next().expect("an entry for each field");
                Ok(Self {
                    $($name: patch.value(next())?,)*
                    $(model: {
                        let _: &str = $model_about;
                        $crate::params::ModelParams::checked(patch.model(next())?, patch)?
                    },
                    $($late: patch.value(next())?,)*)?
                })
            }
        }
    };
}

/// The models: their names, and the parameters that each has of its own.
macro_rules! models {
    ($($(#[$meta:meta])* $model:ident = $name:tt,)+) => {
        named! {
            /// A model that makes assets.
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
            #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
            pub enum Model: "a model" {
                $($(#[$meta])* $model = $name,)+
            }
        }

        impl Model {
            /// Their names.
            const NAMES: &'static [&'static str] = &[$($name,)+];

            /// The name of the schema of its parameters in the HTTP contract.
            #[cfg(feature = "openapi")]
            fn schema_name(self) -> &'static str {
                match self {
                    $(Self::$model => concat!(stringify!($model), "Params"),)+
                }
            }

            fn quick(self) -> &'static [(&'static str, i64)] {
                match self {
                    $(Self::$model => $model::QUICK,)+
                }
            }

            /// The parameters that are its own.
            pub fn parameters(self) -> &'static [Parameter] {
                match self {
                    $(Self::$model => $model::PARAMETERS,)+
                }
            }
        }

        /// The checked parameters that are a model's own, tagged with its name.
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "model")]
        pub enum ModelParams {
            $($(#[$meta])* #[serde(rename = $name)] $model($model),)+
        }

        impl ModelParams {
            /// Whose they are.
            pub fn model(&self) -> Model {
                match self {
                    $(Self::$model(_) => Model::$model,)+
                }
            }

            fn texture_size(&self) -> u32 {
                match self {
                    $(Self::$model(own) => own.texture_size,)+
                }
            }

            fn checked(model: Model, patch: &ParamsPatch) -> Result<Self, ParamError> {
                match model {
                    $(Model::$model => $model::checked(patch).map(Self::$model),)+
                }
            }
        }
    };
}

pub(super) use {models, parameters};
