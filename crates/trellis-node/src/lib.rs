//! The node: everything that runs in one server process, put together from typed settings.
//!
//! ```text
//! settings ──▶ certificate, API keys ─▶ data folder ─▶ listener ─▶ what makes results ─▶ store, backends ──▶ Node
//! Node::run ──▶ runner + janitor + service manager + HTTP, until told to stop; then they drain
//! ```
//! `generate` and `verify` use the same backends and the same installation without a store.
//! Not here: where settings come from, and what is printed (`trellis-cli`).

mod ability;
mod about;
mod backends;
mod blob_place;
mod certificates;
mod cluster;
mod data_dir;
mod entrance;
mod error;
mod installation;
mod keeping;
mod keys;
mod migrate;
pub mod nearby;
mod needs;
mod node;
mod nodes;
mod open_files;
mod roster;
mod secret_file;
mod servers;
mod service_manager;
mod services;
mod settings;
mod shared_store;
mod unix_socket;
mod webhooks;

pub use about::{About, Offer, Standing};
pub use backends::{Backends, check_model_folder, start as start_backends};
pub use blob_place::BlobPlaceError;
pub use certificates::{CertificateError, Certificates};
pub use entrance::Bound;
pub use error::NodeError;
pub use installation::{find as find_installation, origin};
pub use keeping::rescue;
pub use keys::{add as add_key, make as make_key, reload as reload_keys};
pub use migrate::{JobPlace, migrate};
pub use node::{Ended, Node};
pub use nodes::{SharingNodes, drain, nodes};
pub use secret_file::SecretFileError;
pub use settings::{
    Auth, Blobs, Limits, Listen, Metrics, Provenance, Retention, Role, Settings, Store, TlsFiles, Trellis,
    Trellis2, listen_address, listen_endpoint,
};
pub use shared_store::SharedStoreError;
pub use trellis_store_postgres::Node as SharingNode;
pub use unix_socket::SocketError;
pub use webhooks::{WebhooksError, reload as reload_webhook_secrets};
