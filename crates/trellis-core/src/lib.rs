//! The vocabulary of trellis-server: what a job is, what may be asked of it, what can go wrong.
//!
//! Types and rules only. Nothing here opens a file, reads a clock or knows of HTTP: a value such as
//! "now" or a random seed is handed in by the caller.

mod artifact;
mod backoff;
mod counted;
mod event;
mod explain;
mod failure;
mod format;
mod generate_error;
mod gpu;
mod gpu_need;
mod id;
mod input;
mod job;
mod name;
mod named;
mod params;
mod plain_words;
mod priority;
mod provenance;
mod secret;
mod sha256;
mod shown;
mod size;
mod stage;
mod state;
mod symptoms;
mod timings;
mod trace;
mod webhook;
mod worker;

pub use artifact::{Artifact, StatementFile};
pub use backoff::Backoff;
pub use counted::counted;
pub use event::{EventKind, JobEvent};
pub use explain::{Explain, Severity, Told};
pub use failure::{Failure, FailureKind};
pub use format::Format;
pub use generate_error::GenerateError;
pub use gpu::{Capability, DRIVER_FOLDERS, Gpu, GpuProcess, InvalidCapability};
pub use gpu_need::GpuNeed;
pub use id::{InvalidJobId, JobId};
pub use input::{Input, InputFile, MeshFormat, MeshInput, PictureFormat, PictureInput};
pub use job::{AskedBackend, BackendChoice, Demand, Job, LatentsFile, Source, Transition};
pub use name::AssetName;
pub use named::UnknownName;
pub use params::{
    Defaults, Given, Kind, Model, ModelParams, MultiImageAlgorithm, ParamError, Parameter, ParameterName,
    Params, ParamsPatch, Quality, TextureFormat, Texturing, Trellis2, TrellisImageLarge,
};
pub use plain_words::plain_words;
pub use priority::Priority;
pub use provenance::{GpuUsed, Installation, Pin, Provenance, PythonEnv, Schema, ServerBuild, UnknownSchema};
pub use secret::Secret;
pub use sha256::{InvalidSha256, Sha256, Sha256Hasher};
pub use shown::{is_plain_name, plain_line, plain_text};
pub use size::{file_size, memory_size};
pub use stage::{Progress, Stage};
pub use state::{JobState, StateChange};
pub use timings::{StageTime, Timings};
pub use trace::{InvalidTraceParent, TraceParent};
pub use webhook::{JobWebhook, WebhookEvent, WebhookState};
pub use worker::{RestartKind, WorkerCommand, WorkerCounters, WorkerState, WorkerStatus};
