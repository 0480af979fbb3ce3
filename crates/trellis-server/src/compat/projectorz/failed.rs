//! Errors as FastAPI writes them: `{"detail": …}`, with the codes that this server's clients know.

use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use trellis_core::Failure;

use super::super::detail::{FieldProblem, Refusal};
use crate::problem::Problem;

/// Why a request was not done.
#[derive(Debug)]
pub(super) enum Failed {
    /// A code and a sentence.
    Sentence {
        status: StatusCode,
        detail: String,
        retry_after: bool,
    },
    /// Fields that are not of their type: 422.
    Fields(Vec<FieldProblem>),
}

impl Failed {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self::Sentence {
            status,
            detail: detail.into(),
            retry_after: status == StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub(super) fn cancelled() -> Self {
        let status = StatusCode::from_u16(499).expect("three digits");
        Self::new(status, "Generation cancelled by user")
    }

    pub(super) fn internal(said: &str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, said)
    }

    /// What `/status` says of a generation that ended so.
    pub(super) fn message(&self) -> String {
        match self {
            Self::Sentence { status, .. } if status.as_u16() == 499 => "Cancelled by user".to_owned(),
            Self::Sentence { detail, .. } => detail.clone(),
            Self::Fields(_) => "422: a field is wrong".to_owned(),
        }
    }

    /// As the server in whose place this one stands passes on its own errors: a 500 with the code in its text.
    pub(super) fn nested(self) -> Self {
        match self {
            Self::Sentence { status, detail, .. } => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("{}: {detail}", status.as_u16()),
            ),
            fields @ Self::Fields(_) => fields,
        }
    }
}

/// A field outside the body that is wrong.
pub(super) fn of_field(place: &str, name: &str, said: &str) -> Failed {
    let mut problem = FieldProblem::new(name, "value_error", said);
    place.clone_into(&mut problem.loc[0]);
    Failed::Fields(vec![problem])
}

impl From<&Failure> for Failed {
    fn from(failure: &Failure) -> Self {
        let detail = format!("{}; {}", failure.message, failure.fix);
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }
}

impl<E: Into<Problem>> From<E> for Failed {
    fn from(error: E) -> Self {
        let problem: Problem = error.into();
        if let Some(cause) = &problem.cause {
            tracing::warn!(kind = problem.kind, cause, "request failed");
        }
        Self::new(problem.status, format!("{}; {}", problem.detail, problem.fix))
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        match self {
            Self::Sentence {
                status,
                detail,
                retry_after,
            } => {
                let mut answer = Refusal::Sentence(status, detail).into_response();
                if retry_after {
                    answer.headers_mut().insert(RETRY_AFTER, 5.into());
                }
                answer
            }
            Self::Fields(problems) => Refusal::Fields(problems).into_response(),
        }
    }
}
