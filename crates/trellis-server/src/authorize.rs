//! Around the routes: a request needs an API key where keys are set (RFC 6750, `Authorization: Bearer`).

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tracing::Span;
use trellis_core::Secret;
use trellis_jobs::{Owner, Rights};

use crate::AppState;
use crate::held_body::HeldBody;
use crate::key_line::Key;
use crate::keys::{Access, AtWork};
use crate::needs::needed;
use crate::peers::{Peer, site};
use crate::problem::Problem;
use crate::request_error::RequestError;
use crate::{scrape, sessions, ui};

/// Open to everybody: what a probe or a new user needs, the same for every server or about none of its jobs.
/// By the whole path, so that a new route is closed until it is named here.
pub(crate) const PUBLIC: [&str; 10] = [
    "/",
    "/docs",
    "/docs/style.css",
    "/health",
    "/health/ready",
    "/openapi.json",
    "/v1/health/live",
    "/v1/health/ready",
    "/v1/session",
    "/v1/version",
];

/// Middleware: lets in requests that have a key with the scope for them, or a session of such a key, and notes its name in
/// the request's span; refuses all others, and those beyond the key's number a minute. The handler gets the [`Owner`] of
/// the jobs that the key may touch. Where many wrong keys came from, none is looked at for a while (`attempts.rs`).
pub(crate) async fn authorize(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let sent = sent(request.headers());
    let path = request.uri().path();
    let public = PUBLIC.contains(&path)
        || path.starts_with(ui::PREFIX)
        || (state.public_metrics && [scrape::PATH, scrape::NIM_PATH].contains(&path));
    // A key that is sent counts, right or wrong; without one the page's session does.
    let session = sessions::cookie(request.headers()).filter(|_| !public && matches!(sent, Sent::Nothing));
    let access = match session {
        Some(session) => {
            let elsewhere = !request.method().is_safe() && !sessions::is_own(request.headers());
            match state.session(&session).await {
                Ok(Access::With(_)) if elsewhere => return RequestError::SessionElsewhere.into_response(),
                Ok(access) => access,
                Err(error) => return Problem::from(error).into_response(),
            }
        }
        None => state.keys.access(sent.secret()),
    };
    // A page for everybody tells nothing of the key that was sent along.
    if !public
        && sent.secret().is_some()
        && let Err(error) = note(&state, Peer::of(&request), request.headers(), &access)
    {
        return error.into_response();
    }
    match access {
        Access::Free => {
            request.extensions_mut().insert(Owner::default());
        }
        Access::With(key) => {
            Span::current().record("key", &*key.name);
            request.extensions_mut().insert(owner(&state, &key));
            if public {
                return next.run(request).await;
            }
            let at_work = match allowed(&state, &key, &request) {
                Ok(at_work) => at_work,
                Err(refused) => return refused.into_response(),
            };
            let answer = next.run(request).await;
            return answer.map(|body| Body::new(HeldBody::new(body, at_work)));
        }
        Access::Refused if public => {}
        Access::Refused => return sent.refusal().into_response(),
    }
    next.run(request).await
}

/// Whose jobs a key may touch. Where there are other keys, one without a limit of its own leaves them room in the queue.
fn owner(state: &AppState, key: &Key) -> Owner {
    let rights = key.owner.rights();
    if rights.queued.is_some() || !state.keys.are_several() {
        return key.owner.clone();
    }
    let share = (state.jobs.limits.queue_limit / 4 * 3).max(1);
    key.owner.clone().with(Rights {
        queued: Some(share),
        ..rights
    })
}

/// Whether this key may make this request now; counts it as at work while the guard is kept.
fn allowed(state: &AppState, key: &Key, request: &Request) -> Result<AtWork, RequestError> {
    if let Err(wait) = state.keys.count(key, Instant::now()) {
        return Err(RequestError::TooManyRequests {
            key: key.name.to_string(),
            after_seconds: seconds(wait),
        });
    }
    let scopes = needed(request.method(), request.uri().path());
    if !key.grant.has_one_of(scopes) {
        return Err(RequestError::ScopeMissing {
            key: key.name.to_string(),
            scopes,
        });
    }
    // As one address may have: whoever comes from many, or shares a proxy's, leaves as much to others.
    let most = state.limits.connections / 4 * 3;
    let at_work = state.keys.at_work(key, most.max(1));
    at_work.ok_or_else(|| RequestError::TooManyAtOnce {
        key: key.name.to_string(),
        limit: most,
    })
}

/// For `Retry-After`: whole seconds, after which it has passed.
fn seconds(wait: Duration) -> u16 {
    u16::try_from(wait.as_secs() + 1).unwrap_or(u16::MAX)
}

/// Takes note that a client showed a key that opens `access`, and refuses one that tried too many.
pub(crate) fn note(
    state: &AppState,
    peer: Peer,
    headers: &HeaderMap,
    access: &Access,
) -> Result<(), RequestError> {
    let key = match access {
        Access::Free => return Ok(()),
        Access::With(key) => Some(&key.name),
        Access::Refused => None,
    };
    let client = state.trusted_proxies.client(peer.ip(), headers);
    let noted = state.attempts().note(site(client), key, Instant::now());
    noted.map_err(|wait| RequestError::TooManyWrongKeys {
        after_seconds: seconds(wait),
    })
}

/// What a request says of its key.
enum Sent {
    Nothing,
    Unusable,
    Key(Secret),
}

impl Sent {
    fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Key(secret) => Some(secret),
            Self::Nothing | Self::Unusable => None,
        }
    }

    fn refusal(&self) -> RequestError {
        match self {
            Self::Nothing => RequestError::ApiKeyMissing,
            Self::Unusable | Self::Key(_) => RequestError::ApiKeyUnknown,
        }
    }
}

fn sent(headers: &HeaderMap) -> Sent {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Sent::Nothing;
    };
    let bearer = || {
        let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
        let key = scheme.eq_ignore_ascii_case("bearer").then_some(key)?;
        Secret::parse(key)
    };
    match bearer() {
        Some(key) if values.next().is_none() => Sent::Key(key),
        _ => Sent::Unusable,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn of(values: &[&'static str]) -> Sent {
        let values = values.iter().map(|value| HeaderValue::from_static(value));
        sent(&values.map(|value| (header::AUTHORIZATION, value)).collect())
    }

    #[test]
    fn a_key_is_sent_once_and_as_a_bearer_token() {
        for good in ["Bearer k", "bearer k", "BEARER  k "] {
            assert!(
                matches!(of(&[good]), Sent::Key(key) if key.reveal() == "k"),
                "{good}"
            );
        }
        for bad in ["k", "Bearer", "Bearer ", "Basic k", "Bearer a b"] {
            assert!(matches!(of(&[bad]), Sent::Unusable), "{bad}");
        }
        assert!(matches!(of(&["Bearer k", "Bearer k"]), Sent::Unusable));
        assert!(matches!(of(&[]), Sent::Nothing));
    }
}
