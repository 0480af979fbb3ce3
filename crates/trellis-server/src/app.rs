//! All routes and what is around them.

use std::any::Any;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::Uri;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tower::util::option_layer;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::error;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi as _};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::authorize::authorize;
use crate::book::{self, Methods};
use crate::compat::{crossworld, nim, nim_facts, projectorz};
use crate::harden::{Shared, harden};
use crate::hosts::{AllowedHosts, addressed};
use crate::observe::observe;
use crate::pace::paced;
use crate::request_error::RequestError;
use crate::scrape;
use crate::sessions::COOKIE;
use crate::{
    AppState, events, exports, files, jobs, pages, preprocess, server_facts, session, status, submit,
    thumbnail, ui, workers,
};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "trellis-server",
        version = "1.0.0",
        description = "From pictures to textured 3D assets, by TRELLIS or by the embedded preview `relief`. \
            Every error is a problem of RFC 9457 with a stable `type` and a `fix`.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    tags(
        (name = "jobs", description = "Submit pictures, follow the work, cancel it"),
        (name = "files", description = "Results and submitted pictures"),
        (name = "nim", description = "For clients of NVIDIA's NIM for TRELLIS"),
        (name = "session", description = "How the server's own page signs in"),
        (name = "server", description = "What the server is and whether it can work"),
    ),
    modifiers(&KeySchemes),
    security((), ("key" = []), ("session" = [])),
    components(schemas(trellis_core::JobEvent, events::FollowedEvent, crate::problem::ProblemBody)),
)]
struct Contract;

/// The schemes of API keys and of what stands for one.
struct KeySchemes;

impl Modify for KeySchemes {
    fn modify(&self, contract: &mut utoipa::openapi::OpenApi) {
        let mut scheme = Http::new(HttpAuthScheme::Bearer);
        scheme.description =
            Some("One of the server's API keys, where it has any (`auth.keys_file`)".to_owned());
        let components = contract.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(scheme));
        let session =
            ApiKeyValue::with_description(COOKIE, "What `POST /v1/session` gives a browser for a key");
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)));
    }
}

/// All routes. Opens nothing: a test calls it as a service.
pub fn app(state: AppState) -> Router {
    let (api, contract) = api().split_for_parts();
    let methods = Methods::of(&contract);
    let max_images = state.jobs.limits.max_images;
    let routes = api
        .merge(pages::routes(move || openapi(max_images)))
        .merge(ui::routes())
        .route(scrape::PATH, get(scrape::metrics))
        .route(scrape::NIM_PATH, get(scrape::metrics))
        .merge(crossworld_routes(state.crossworld))
        // The blueprint's client forgets the version.
        .route("/health/ready", get(server_facts::ready))
        .fallback(route_not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(methods, book::route_options))
        .with_state(state.clone());
    let hosts = state.allowed_hosts.clone();
    guarded(routes, state, hosts)
}

/// What StableProjectorz asks for, for a listener of its own. Opens nothing.
pub fn projectorz_app(state: &AppState) -> Router {
    let routes = projectorz::routes(state.clone());
    guarded(routes, state.clone(), state.projectorz_hosts.clone())
}

/// What is around all routes: who may come, and how.
fn guarded(routes: Router, state: AppState, hosts: AllowedHosts) -> Router {
    let limits = state.limits.clone();
    let origins = state.allowed_origins.clone();
    let shared = Shared::with(&origins);
    let addressed = middleware::from_fn_with_state(hosts, addressed);
    let authorize = middleware::from_fn_with_state(state.clone(), authorize);
    // The last layer is the outermost: whatever the others refuse becomes a problem in `observe`.
    routes
        .layer(middleware::from_fn_with_state(limits.pace, paced))
        .layer(DefaultBodyLimit::max(limits.body_bytes))
        .layer(origins.changing())
        .layer(authorize)
        .layer(middleware::from_fn(book::whole_server))
        .layer(addressed)
        .layer(middleware::from_fn(book::head))
        .layer(CatchPanicLayer::custom(|panic: Box<dyn Any + Send>| {
            panicked(&*panic)
        }))
        .layer(option_layer(origins.reading()))
        .layer(middleware::from_fn_with_state(state, observe))
        .layer(middleware::from_fn_with_state(shared, harden))
}

/// `/metrics` alone, for a listener of its own that asks for no key.
pub(crate) fn metrics_app(state: AppState) -> Router {
    let addressed = middleware::from_fn_with_state(state.metrics_hosts.clone(), addressed);
    Router::new()
        .route(scrape::PATH, get(scrape::metrics))
        .fallback(route_not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(addressed)
        .layer(middleware::from_fn(book::head))
        .layer(CatchPanicLayer::custom(|panic: Box<dyn Any + Send>| {
            panicked(&*panic)
        }))
        .layer(middleware::from_fn_with_state(state.clone(), observe))
        .layer(middleware::from_fn_with_state(Shared::Nobody, harden))
        .with_state(state)
}

fn crossworld_routes(wanted: bool) -> Router<AppState> {
    let routes = Router::new();
    if wanted {
        routes
            .route("/health", get(crossworld::health))
            .route("/generate", post(crossworld::generate))
    } else {
        routes
    }
}

/// The contract, made from the handlers, of a server that takes `max_images` pictures a job.
pub fn openapi(max_images: usize) -> utoipa::openapi::OpenApi {
    let mut contract = api().into_openapi();
    let schemas = &mut contract.components.get_or_insert_default().schemas;
    for (schema, field) in [("SubmissionForm", "image"), ("SubmissionJson", "images")] {
        if let Some(RefOr::T(Schema::Object(object))) = schemas.get_mut(schema)
            && let Some(RefOr::T(Schema::Array(pictures))) = object.properties.get_mut(field)
        {
            pictures.max_items = Some(max_images);
        }
    }
    contract
}

fn api() -> OpenApiRouter<AppState> {
    let v1 = OpenApiRouter::new()
        .routes(routes!(jobs::list_jobs, submit::submit_job))
        .routes(routes!(jobs::get_job, jobs::rename_job, jobs::delete_job))
        .routes(routes!(jobs::cancel_job))
        .routes(routes!(events::job_events))
        .routes(routes!(files::get_artifact))
        .routes(routes!(files::get_input))
        .routes(routes!(files::get_statement))
        .routes(routes!(thumbnail::get_thumbnail, thumbnail::put_thumbnail))
        .routes(routes!(exports::export_job))
        .routes(routes!(preprocess::preprocess))
        .routes(routes!(session::get_session, session::sign_in, session::sign_out))
        .routes(routes!(server_facts::version))
        .routes(routes!(server_facts::live))
        .routes(routes!(server_facts::ready))
        .routes(routes!(status::status))
        .routes(routes!(workers::list_workers))
        .routes(routes!(workers::command_worker))
        .routes(routes!(nim::infer))
        .routes(routes!(nim_facts::metadata))
        .routes(routes!(nim_facts::models));
    OpenApiRouter::with_openapi(Contract::openapi()).nest("/v1", v1)
}

async fn route_not_found(uri: Uri) -> RequestError {
    RequestError::RouteNotFound { path: shown(&uri) }
}

async fn method_not_allowed(request: Request) -> RequestError {
    RequestError::MethodNotAllowed {
        method: request.method().as_str().chars().take(32).collect(),
        path: shown(request.uri()),
    }
}

/// The path, cut to what fits in a sentence.
fn shown(uri: &Uri) -> String {
    uri.path().chars().take(200).collect()
}

/// A panic in a handler ends that request, not the server.
fn panicked(panic: &(dyn Any + Send)) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    error!(panic = text, "a handler panicked");
    RequestError::Internal.into_response()
}
