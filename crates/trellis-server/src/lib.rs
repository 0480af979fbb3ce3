//! The HTTP edge of trellis-server: jobs, their events and files, health, and the contract.
//!
//! It translates between HTTP and the services and has no rules of its own. [`app`] is all routes,
//! [`serve`] listens, [`openapi`] is the contract, made from the handlers. The caller makes the
//! services, opens the listener and says when to stop.

mod answered;
mod app;
mod asset;
mod attempts;
mod authorize;
mod book;
mod bucket;
mod compat;
mod conditions;
mod contract;
mod crowd;
mod data_uri;
mod events;
mod example;
mod extract;
mod file_answer;
mod files;
mod glance;
mod grant;
mod harden;
mod hosts;
mod html;
mod jobs;
mod key_line;
mod keys;
mod mapping;
mod metrics;
mod needs;
mod new_key;
mod observe;
mod origins;
mod pace;
mod pages;
mod peers;
mod preprocess;
mod problem;
mod proxies;
mod range;
mod reference;
mod request_error;
mod request_id;
mod scopes;
mod scrape;
mod serve;
mod server_facts;
mod session;
mod sessions;
mod small_json;
mod state;
mod status;
mod submit;
mod thumbnail;
mod tls;
mod trace;
mod ui;
mod wait;
mod workers;

pub use app::{app, openapi, projectorz_app};
pub use example::Example;
pub use grant::{DEFAULT_SCOPES, Grant, InvalidSize, Size};
pub use hosts::{AllowedHosts, InvalidHost};
pub use key_line::KeysError;
pub use keys::{ApiKeys, KeyRing};
pub use metrics::{Family, FamilyKind, Metrics};
pub use new_key::{InvalidKeyName, NewKey};
pub use origins::{AllowedOrigins, InvalidOrigin};
pub use pace::Pace;
pub use proxies::{InvalidProxy, TrustedProxies};
pub use scopes::{Scope, UnknownScope};
pub use serve::{Entrance, ReadingPace, serve, serve_metrics, serve_projectorz};
pub use state::{AppParts, AppState, HttpLimits};
pub use tls::{Certificate, Tls, TlsError, Validity};
