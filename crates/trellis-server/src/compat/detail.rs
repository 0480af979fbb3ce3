//! Errors in FastAPI's form: `{"detail": …}`, a sentence or a list of what is wrong with which field.
//!
//! Source: FastAPI's documentation, "Handling Errors".

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use crate::problem::Problem;

/// What is wrong with one field of the body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct FieldProblem {
    /// `body` and the field's name.
    pub(super) loc: Vec<String>,
    /// What is wrong, in words.
    msg: String,
    /// What is wrong, as a name.
    #[serde(rename = "type")]
    kind: &'static str,
}

impl FieldProblem {
    pub(super) fn new(field: &str, kind: &'static str, msg: impl Into<String>) -> Self {
        Self {
            loc: vec!["body".to_owned(), field.to_owned()],
            msg: msg.into(),
            kind,
        }
    }
}

/// An answer that is an error.
#[derive(Debug)]
pub(super) enum Refusal {
    /// A sentence.
    Sentence(StatusCode, String),
    /// What is wrong with which fields: 422.
    Fields(Vec<FieldProblem>),
    /// An error of ours, whose sentence it keeps.
    Problem(Problem),
}

impl<E: Into<Problem>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Problem(error.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Sentence(status, detail) => (status, Json(json!({ "detail": detail }))).into_response(),
            Self::Fields(detail) => {
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                (status, Json(json!({ "detail": detail }))).into_response()
            }
            Self::Problem(problem) => problem.into_response(),
        }
    }
}
