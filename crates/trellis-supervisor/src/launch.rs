//! How one worker is started: interpreter, environment, GPU, and whether there is room for it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use trellis_core::{Defaults, Model, Params};

use crate::admission::admit;
use crate::cause::Cause;
use crate::environment::{environment, own};
use crate::process::Launch;
use crate::protocol::ToWorker;
use crate::python::MODULE;
use crate::share::Share;
use crate::tuning;
use trellis_core::Gpu;

/// What all workers of a server are started with.
#[derive(Debug, Clone)]
pub struct LaunchSettings {
    /// The model.
    pub runs: Model,
    /// The Python interpreter that has TRELLIS and torch.
    pub python: PathBuf,
    /// The model folder.
    pub model: PathBuf,
    /// torch's folder with DINOv2, if not the environment's `TORCH_HOME`.
    pub torch_home: Option<PathBuf>,
    /// rembg's folder with `u2net.onnx`, if not the environment's `U2NET_HOME`.
    pub u2net_home: Option<PathBuf>,
    /// A folder that lasts, for the driver's compiled kernels and the worker's sources.
    pub state: PathBuf,
    /// What a job takes where it does not say otherwise; models are loaded and warmed up by it.
    pub defaults: Defaults,
    /// Keep models in main memory between stages.
    pub low_vram: bool,
    /// Run a small picture before a worker counts as ready.
    pub warm_up: bool,
}

/// Where what is compiled at run time is kept, below the state folder, unless the server's environment says otherwise. What
/// these libraries would take is beside the packages or in a home, where a service may write nothing: numba then compiles
/// for over a minute at each start (rembg needs pymatting), and Triton, without which TRELLIS.2 does not run, fails.
const CACHES: [(&str, &str); 4] = [
    ("CUDA_CACHE_PATH", "cuda-cache"),
    ("NUMBA_CACHE_DIR", "numba-cache"),
    ("TRITON_CACHE_DIR", "triton-cache"),
    ("WARP_CACHE_PATH", "warp-cache"),
];

/// The name of the backend that runs a model; its workers' names begin so.
pub(crate) fn backend_name(model: Model) -> &'static str {
    match model {
        Model::TrellisImageLarge => "trellis",
        Model::Trellis2 => "trellis2",
    }
}

/// Starts one worker.
#[derive(Debug)]
pub(crate) struct Launcher {
    pub(crate) settings: Arc<LaunchSettings>,
    /// Where the worker's sources are.
    pub(crate) sources: PathBuf,
    pub(crate) number: usize,
    pub(crate) gpu: Option<Gpu>,
    /// What of the GPU's memory is its own.
    pub(crate) share: Arc<Share>,
    /// The driver's version, where it was asked.
    pub(crate) driver: Option<String>,
    /// Where FlexGEMM keeps its tuning, for a worker that uses it.
    pub(crate) tuning: Option<PathBuf>,
}

impl Launcher {
    pub(crate) fn name(&self) -> Arc<str> {
        format!("{}-{}", backend_name(self.settings.runs), self.number).into()
    }

    pub(crate) fn gpu(&self) -> Option<&Gpu> {
        self.gpu.as_ref()
    }

    /// How much of its GPU's memory the worker may have, where that is known.
    pub(crate) fn memory_bytes(&self) -> Option<u64> {
        let gpu = self.gpu.as_ref()?;
        Some(self.share.of_all(gpu.memory_bytes))
    }

    /// The mode to start in, by the free memory of the GPU as it is now.
    pub(crate) async fn admit(&self, lower: bool) -> Result<bool, Cause> {
        let low_vram = self.settings.low_vram || lower;
        let Some(gpu) = &self.gpu else { return Ok(low_vram) };
        let uuid = gpu.uuid.clone();
        let now = tokio::task::spawn_blocking(|| trellis_gpu::list(&[])).await;
        match now {
            Ok(Ok(found)) => match found.gpus.iter().find(|gpu| gpu.uuid == uuid) {
                Some(gpu) => {
                    let asked = (self.settings.runs, self.settings.defaults.quality);
                    admit(asked, gpu, &self.share, low_vram)
                }
                None => Err(Cause::Spawn {
                    reason: format!("the GPU {uuid} is gone"),
                }),
            },
            // What NVML cannot tell now, CUDA will tell the worker.
            _ => Ok(low_vram),
        }
    }

    /// Program, arguments and environment.
    pub(crate) fn launch(&self) -> Launch {
        let settings = &self.settings;
        let mut set: Vec<(&'static str, OsString)> = vec![
            ("TRELLIS_WORKER_FD", "0".into()),
            ("TRELLIS_WORKER_PARENT", std::process::id().to_string().into()),
            ("TRELLIS_MODEL_PATH", settings.model.clone().into()),
            ("PYTHONPATH", self.sources.clone().into()),
        ];
        if let Ok(cores) = std::thread::available_parallelism() {
            // xatlas starts a thread for each core of the machine, whatever the quota of this group.
            set.push(("TRELLIS_WORKER_CORES", cores.to_string().into()));
        }
        for (name, folder) in CACHES {
            if own(name).is_none() {
                set.push((name, settings.state.join(folder).into()));
            }
        }
        if let Some(tuning) = &self.tuning {
            // FlexGEMM times its kernels for each shape that it meets, half a minute and more each: kept, and the
            // same sums come out again.
            set.push((tuning::VARIABLE, tuning.into()));
        }
        for (name, folder) in [
            ("TORCH_HOME", &settings.torch_home),
            ("U2NET_HOME", &settings.u2net_home),
        ] {
            if let Some(folder) = folder {
                set.push((name, folder.clone().into()));
            }
        }
        if let Some(gpu) = &self.gpu {
            set.push(("CUDA_VISIBLE_DEVICES", gpu.uuid.clone().into()));
            if self.share.workers() > 1 {
                // One samples at full speed, while others finish what they sampled.
                let file = settings.state.join("worker").join(format!("turns-{}", gpu.uuid));
                set.push(("TRELLIS_WORKER_TURNS", file.into()));
            }
        }
        Launch {
            program: settings.python.clone(),
            arguments: vec!["-m".into(), MODULE.into()],
            environment: environment(own, Path::is_dir, set),
        }
    }

    pub(crate) fn load(&self, low_vram: bool) -> ToWorker {
        ToWorker::Load {
            model: self.settings.runs,
            folder: self.settings.model.clone(),
            quality: self.settings.defaults.quality,
            low_vram,
            warm_up: self
                .settings
                .warm_up
                .then(|| Params::warm_up(self.settings.runs, &self.settings.defaults)),
        }
    }
}

#[cfg(test)]
mod tests {
    use trellis_core::Capability;

    use super::*;

    fn launched(workers: usize) -> Launch {
        let settings = LaunchSettings {
            runs: Model::DEFAULT,
            python: "python3".into(),
            model: "model".into(),
            torch_home: None,
            u2net_home: None,
            state: "state".into(),
            defaults: Defaults::default(),
            low_vram: false,
            warm_up: false,
        };
        let gpu = Gpu {
            index: 0,
            uuid: "GPU-a".to_owned(),
            name: "NVIDIA H100".to_owned(),
            capability: Capability { major: 9, minor: 0 },
            memory_bytes: 80 << 30,
            free_bytes: 79 << 30,
            temperature: None,
            utilisation: None,
            power_milliwatts: None,
            persistent: None,
            processes: vec![],
        };
        let launcher = Launcher {
            settings: Arc::new(settings),
            sources: "sources".into(),
            number: 0,
            gpu: Some(gpu),
            share: Arc::new(Share::among(workers)),
            driver: None,
            tuning: None,
        };
        assert_eq!(launcher.memory_bytes(), Some((80 << 30) / workers as u64));
        launcher.launch()
    }

    fn turns(workers: usize) -> Option<OsString> {
        launched(workers).environment.remove("TRELLIS_WORKER_TURNS")
    }

    #[test]
    fn what_is_compiled_at_run_time_needs_no_home() {
        let environment = launched(1).environment;
        for (name, folder) in CACHES {
            let expected = own(name).unwrap_or_else(|| Path::new("state").join(folder).into());
            assert_eq!(environment.get(name), Some(&expected), "{name}");
        }
    }

    #[test]
    fn workers_of_one_gpu_sample_in_turns() {
        assert_eq!(turns(1), None, "it has nobody to wait for");
        assert_eq!(turns(2).unwrap(), "state/worker/turns-GPU-a");
    }
}
