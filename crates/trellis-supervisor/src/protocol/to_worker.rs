//! Supervisor → worker.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use trellis_core::{JobId, Model, Params, Quality, TraceParent};

/// What the supervisor says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToWorker {
    /// Load the pipeline. Answered by `load_progress` and then `loaded` or `failed` without a job.
    Load {
        /// Which model it is.
        model: Model,
        /// Its folder, which holds `pipeline.json`.
        folder: PathBuf,
        /// How near to TRELLIS's own code it is loaded. What a job asks for is in its parameters.
        #[serde(default = "Quality::unnamed")]
        quality: Quality,
        /// Keep models in main memory and bring each to the GPU for its stage only.
        low_vram: bool,
        /// Run a small picture through the whole pipeline before `loaded`, with these parameters, so that the
        /// driver compiles what it must compile now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        warm_up: Option<Params>,
    },
    /// Make an asset. Answered by `progress`, `artifact` and then `done`, `failed` or `cancelled`.
    Generate {
        /// The job.
        job: JobId,
        /// PNGs, upright and in sRGB; more than one are views of one object.
        pictures: Vec<PathBuf>,
        /// An existing folder for the artifacts.
        out: PathBuf,
        /// Checked parameters.
        params: Params,
        /// Work in low-VRAM mode from this job on.
        low_vram: bool,
        /// The trace that the job belongs to, for the worker's log.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        traceparent: Option<TraceParent>,
        /// What an earlier job sampled, a file: it is decoded, nothing is sampled, and there are no pictures.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        latents: Option<PathBuf>,
        /// Leave what is sampled in `out` too, and report it with `latents`.
        #[serde(default)]
        keep_latents: bool,
        /// The mesh that is to be textured as the pictures show it, a safetensors file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mesh: Option<PathBuf>,
    },
    /// Stop the job at the next sampler step. A job that is not being worked on is ignored.
    Cancel {
        /// The job.
        job: JobId,
    },
    /// Answer with `pong` at once.
    Ping,
    /// Leave; sent when no job is being worked on.
    Shutdown,
}
