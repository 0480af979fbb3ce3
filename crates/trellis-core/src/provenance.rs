//! What made a result: inputs, parameters, the exact program, environment, model and GPU.
//!
//! Without times and names of jobs: the same request on the same machine gives the same record, so that
//! results which carry it stay the same bytes. Not here: how any of it is found out, or signed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{AssetName, Params, Sha256};

/// What made a result, as the result itself carries it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Provenance {
    /// The form of this record: 1.
    #[cfg_attr(feature = "openapi", schema(value_type = u32))]
    pub schema: Schema,
    /// SHA-256 of each submitted picture's bytes, in order, 64 lower-case hexadecimal digits.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub inputs: Vec<Sha256>,
    /// SHA-256 of what the files were made from, where that is not the pictures: a GLB that was converted, and how that one
    /// was made is in its own record, or what was sampled for an earlier job.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub source: Option<Sha256>,
    /// What the asset is called inside its files, where its picture came with a name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<AssetName>,
    /// What was asked, with the seed.
    pub params: Params,
    /// The backend that made it.
    pub backend: String,
    /// Which variant of its pipeline the backend took, where it has several: the settings of its workers that results
    /// depend on. What a job may ask of the pipeline is in `params`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub variant: Option<String>,
    /// The program.
    pub server: ServerBuild,
    /// The Python environment, where one took part.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub python_env: Option<PythonEnv>,
    /// SHA-256 of `trellis-model.lock.json`, where a model took part and is locked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub model_lock: Option<Sha256>,
    /// SHA-256 of the record by which kernels were chosen, where they are chosen by timing them: what was sampled can be
    /// made again to the bit only with the same record.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub tuning: Option<Sha256>,
    /// The GPU, where one took part.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gpu: Option<GpuUsed>,
    /// Libraries that took part and whose licences allow no commercial use, such as `nvdiffrast`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub non_commercial: Vec<String>,
}

/// The record's form. Another number is a form that this program does not know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Schema;

/// A form that is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown provenance form {found}: only 1 is supported")]
pub struct UnknownSchema {
    /// What was found.
    pub found: u32,
}

impl TryFrom<u32> for Schema {
    type Error = UnknownSchema;
    fn try_from(found: u32) -> Result<Self, UnknownSchema> {
        match found {
            1 => Ok(Self),
            found => Err(UnknownSchema { found }),
        }
    }
}

impl From<Schema> for u32 {
    fn from(_: Schema) -> Self {
        1
    }
}

/// The program that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServerBuild {
    /// Its version.
    pub version: String,
    /// Which build of it.
    #[serde(flatten)]
    pub pin: Pin,
}

/// The Python environment that took part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PythonEnv {
    /// Versions by name, such as `torch`, as the packages themselves say.
    pub versions: BTreeMap<String, String>,
    /// Which environment.
    #[serde(flatten)]
    pub pin: Pin,
}

/// How exactly something is named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "pin", rename_all = "snake_case")]
pub enum Pin {
    /// A path of the Nix store, which names all that it depends on.
    Nix {
        /// The path.
        store_path: String,
        /// Its NAR hash by the Nix database, such as `sha256-…`; none where there is no database to ask.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        nar_hash: Option<String>,
    },
    /// Outside of Nix: what it depends on is not known.
    Unpinned {
        /// SHA-256 of the program's own file, where it is one file.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
        sha256: Option<Sha256>,
    },
}

impl Pin {
    /// Whether it names everything that it depends on.
    pub fn is_nix(&self) -> bool {
        matches!(self, Self::Nix { .. })
    }
}

/// A GPU and its driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GpuUsed {
    /// Its name.
    pub name: String,
    /// Its compute capability, such as `12.0`.
    pub capability: String,
    /// The driver's version, where it is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub driver: Option<String>,
}

/// What runs here, the same while a process lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Installation {
    /// The program.
    pub server: ServerBuild,
    /// The Python environment that workers are started from.
    pub python_env: Pin,
    /// SHA-256 of the model's lock, where there is one.
    pub model_lock: Option<Sha256>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ParamsPatch;

    fn full() -> Provenance {
        Provenance {
            schema: Schema,
            inputs: vec![Sha256::from([0; 32])],
            source: None,
            name: AssetName::of_file("chair.png"),
            params: ParamsPatch::default().resolve(7).unwrap(),
            backend: "trellis".to_owned(),
            variant: Some("ATTN_BACKEND=xformers SPCONV_ALGO=native".to_owned()),
            server: ServerBuild {
                version: "0.1.0".to_owned(),
                pin: Pin::Nix {
                    store_path: "/nix/store/0c6kzph7l0dcbfmjap64f0czdafn3b7x-trellis-0.1.0".to_owned(),
                    nar_hash: Some("sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".to_owned()),
                },
            },
            python_env: Some(PythonEnv {
                versions: BTreeMap::from([("torch".to_owned(), "2.9.1+cu128".to_owned())]),
                pin: Pin::Unpinned { sha256: None },
            }),
            model_lock: Some(Sha256::from([0x11; 32])),
            tuning: Some(Sha256::from([0x22; 32])),
            gpu: Some(GpuUsed {
                name: "NVIDIA GeForce RTX 5090".to_owned(),
                capability: "12.0".to_owned(),
                driver: Some("570.86.15".to_owned()),
            }),
            non_commercial: vec!["nvdiffrast".to_owned()],
        }
    }

    #[test]
    fn its_form_is_stable() {
        insta::assert_json_snapshot!(full());
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let text = serde_json::to_string(&full()).unwrap();
        assert_eq!(serde_json::from_str::<Provenance>(&text).unwrap(), full());
    }

    #[test]
    fn a_preview_needs_neither_python_nor_gpu_nor_model() {
        let mut value = serde_json::to_value(full()).unwrap();
        for absent in [
            "name",
            "variant",
            "python_env",
            "model_lock",
            "tuning",
            "gpu",
            "non_commercial",
        ] {
            value.as_object_mut().unwrap().remove(absent);
        }
        let read: Provenance = serde_json::from_value(value).unwrap();
        assert_eq!((read.variant, read.python_env), (None, None));
        assert_eq!((read.model_lock, read.gpu), (None, None));
    }

    #[test]
    fn another_form_is_refused_by_its_number() {
        let mut value = serde_json::to_value(full()).unwrap();
        value["schema"] = 2.into();
        let error = serde_json::from_value::<Provenance>(value).unwrap_err();
        assert!(error.to_string().contains("form 2"), "{error}");
    }
}
