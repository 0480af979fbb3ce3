//! The real binary: its words, its settings, its work, its server.

#[path = "../kit/mod.rs"]
mod kit;

mod apis;
mod closure;
mod doctor;
mod doctor_python;
mod doctor_trellis2;
mod exports;
mod generate;
mod joining;
mod keys;
mod lock;
mod metrics;
mod migrate;
mod models;
#[cfg(feature = "otlp")]
mod otlp;
mod passfile;
#[path = "../../../trellis-store-postgres/tests/it/server.rs"]
mod postgres;
mod rack;
mod readme;
mod remote;
mod rescue;
#[path = "../../../trellis-blobs-s3/tests/it/server.rs"]
mod s3;
#[path = "../../../trellis-models/tests/sample/mod.rs"]
mod sample;
mod serve;
mod sharing;
mod storage;
mod tls;
mod top;
mod unix;
mod usage;
mod verify;
mod webhooks;
mod workers;
