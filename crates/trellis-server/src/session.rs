//! `/v1/session`: the server's own page exchanges an API key for a session's cookie, and gives it back.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use trellis_core::Secret;

use crate::AppState;
use crate::authorize::note;
use crate::contract::{SessionProblems, SignInProblems, SignOutProblems};
use crate::keys::Access;
use crate::peers::Peer;
use crate::problem::Problem;
use crate::request_error::RequestError;
use crate::sessions::{COOKIE, LASTS, cookie, refuse_other_pages};
use crate::small_json::small_json;

/// Who is signed in.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Session {
    /// Whether the server has API keys, so that one is needed.
    key_needed: bool,
    /// The name of the key that the session was begun with; `null` where there is no session.
    name: Option<String>,
}

/// What a session is begun with.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    /// An API key.
    #[schema(format = Password)]
    key: String,
}

/// Ask who is signed in
///
/// Open to everybody. Looks at the cookie alone, not at a key.
#[utoipa::path(
    get,
    path = "/session",
    tag = "session",
    operation_id = "get_session",
    security(()),
    responses((status = 200, description = "Whether a key is needed, and whose session this is", body = Session), SessionProblems),
)]
pub(crate) async fn get_session(
    State(state): State<AppState>,
    headers: HeaderMap,
) -> Result<Json<Session>, Problem> {
    let mut session = Session {
        key_needed: state.keys.names().is_some(),
        name: None,
    };
    if let Some(cookie) = cookie(&headers)
        && let Access::With(key) = state.session(&cookie).await?
    {
        session.name = Some(key.name.to_string());
    }
    Ok(Json(session))
}

/// Sign in
///
/// Exchanges an API key for a cookie that counts like it for 30 days, or until the key is removed or replaced. It cannot
/// be read by scripts, and no other site's page can use it.
#[utoipa::path(
    post,
    path = "/session",
    tag = "session",
    operation_id = "sign_in",
    security(()),
    request_body = SignIn,
    responses(
        (status = 204, description = "Signed in; where the server has no keys there is no cookie",
            headers(("Set-Cookie" = String, description = "The session"))),
        SignInProblems,
    ),
)]
pub(crate) async fn sign_in(State(state): State<AppState>, request: Request) -> Result<Response, Problem> {
    refuse_other_pages(request.headers())?;
    let encrypted = is_encrypted(&state, &request);
    let (peer, headers) = (Peer::of(&request), request.headers().clone());
    let SignIn { key } = small_json(request).await?;
    let key = Secret::parse(&key);
    let access = state.keys.access(key.as_ref());
    note(&state, peer, &headers, &access)?;
    match (access, key) {
        (Access::Free, _) => Ok(StatusCode::NO_CONTENT.into_response()),
        (Access::With(found), Some(key)) => {
            let session = state
                .sessions()
                .begin(&*state.jobs.store, &found.name, &key)
                .await?;
            Ok(with_cookie(&session, LASTS.as_secs(), encrypted))
        }
        (Access::Refused | Access::With(_), _) => Err(RequestError::ApiKeyUnknown.into()),
    }
}

/// Sign out
///
/// Has the browser forget the cookie.
#[utoipa::path(
    delete,
    path = "/session",
    tag = "session",
    operation_id = "sign_out",
    security(()),
    responses(
        (status = 204, description = "Signed out", headers(("Set-Cookie" = String, description = "Ends the session"))),
        SignOutProblems,
    ),
)]
pub(crate) async fn sign_out(State(state): State<AppState>, request: Request) -> Result<Response, Problem> {
    refuse_other_pages(request.headers())?;
    Ok(with_cookie("", 0, is_encrypted(&state, &request)))
}

fn is_encrypted(state: &AppState, request: &Request) -> bool {
    let proxies = &state.trusted_proxies;
    proxies.encrypted(Peer::of(request), request.headers())
}

/// 204 with the cookie, which is sent to this server alone, and over TLS alone where it was set over TLS.
fn with_cookie(value: &str, seconds: u64, encrypted: bool) -> Response {
    let secure = if encrypted { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={value}; Max-Age={seconds}; Path=/; HttpOnly; SameSite=Strict{secure}");
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response()
}
