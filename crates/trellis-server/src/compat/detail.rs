//! Errors in FastAPI's form: `{"detail": …}`, a sentence or a list of what is wrong with which field.
//!
//! Source: FastAPI's documentation, "Handling Errors".

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

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

/// The body of an error.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Detail {
    /// A sentence, or what is wrong with which fields.
    detail: DetailOf,
}

/// A sentence, or what is wrong with which fields.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(crate) enum DetailOf {
    /// A sentence.
    Sentence(String),
    /// What is wrong with which fields.
    Fields(Vec<FieldProblem>),
}

/// An answer that is an error.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// A sentence.
    Sentence(StatusCode, String),
    /// What is wrong with which fields: 422.
    Fields(Vec<FieldProblem>),
    /// An error of ours, whose sentence it keeps.
    Problem(Problem),
}

impl Refusal {
    pub(super) fn internal(said: &str) -> Self {
        Self::Sentence(StatusCode::INTERNAL_SERVER_ERROR, said.to_owned())
    }
}

impl<E: Into<Problem>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Problem(error.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, detail) = match self {
            Self::Sentence(status, said) => (status, DetailOf::Sentence(said)),
            Self::Fields(problems) => (StatusCode::UNPROCESSABLE_ENTITY, DetailOf::Fields(problems)),
            Self::Problem(problem) => return problem.into_response(),
        };
        (status, Json(Detail { detail })).into_response()
    }
}
