//! What clients of NVIDIA's NIM ask about the server: `/v1/metadata`, `/v1/models`.
//!
//! Source: NVIDIA's NIM documentation for other containers, and what open clients read of them: the `shortName` with
//! `pytorch` in it is the model that runs.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use trellis_core::Model;

use crate::AppState;
use crate::contract::AccessProblems;

/// What a NIM says of itself.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NimMetadata {
    /// The program's version.
    version: String,
    /// What runs here, the best first.
    model_info: Vec<NimModelInfo>,
}

/// A model of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NimModelInfo {
    /// Its name and what runs it, such as `trellis-image-large:pytorch`.
    short_name: String,
}

/// A list of models, in the form that clients of OpenAI's API read too.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct NimModels {
    /// `list`.
    object: &'static str,
    /// What runs here, the best first.
    data: Vec<NimModel>,
}

/// One of them.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct NimModel {
    /// Its name.
    id: String,
    /// `model`.
    object: &'static str,
    /// Who made it.
    owned_by: &'static str,
}

/// What the server is, for clients of NVIDIA's NIM
#[utoipa::path(
    get,
    path = "/metadata",
    tag = "nim",
    operation_id = "nim_metadata",
    responses((status = 200, description = "Its version and models", body = NimMetadata), AccessProblems),
)]
pub(crate) async fn metadata(State(state): State<AppState>) -> Json<NimMetadata> {
    let names = names(&state).into_iter();
    Json(NimMetadata {
        version: state.version.clone(),
        model_info: names
            .map(|(name, runs_on)| NimModelInfo {
                short_name: format!("{name}:{runs_on}"),
            })
            .collect(),
    })
}

/// The models, for clients of NVIDIA's NIM
#[utoipa::path(
    get,
    path = "/models",
    tag = "nim",
    operation_id = "nim_models",
    responses((status = 200, description = "The models", body = NimModels), AccessProblems),
)]
pub(crate) async fn models(State(state): State<AppState>) -> Json<NimModels> {
    let names = names(&state).into_iter();
    Json(NimModels {
        object: "list",
        data: names
            .map(|(name, runs_on)| NimModel {
                id: name.to_owned(),
                object: "model",
                owned_by: if runs_on == TORCH {
                    "microsoft"
                } else {
                    "trellis-server"
                },
            })
            .collect(),
    })
}

const TORCH: &str = "pytorch";

/// The models that run here, each with what runs it; a preview is named as one.
fn names(state: &AppState) -> Vec<(&'static str, &'static str)> {
    let backends = state.registry.all().iter();
    let names = backends.map(|backend| {
        let capabilities = backend.capabilities();
        match backend.model() {
            Some(model) => (model.name(), TORCH),
            None if capabilities.preview => (capabilities.name, "preview"),
            None => (Model::DEFAULT.name(), TORCH),
        }
    });
    names.collect()
}
