//! The programs of the probe. Their lines on standard output are the answer; a line `left out: …` means
//! that the step does not apply here.

use std::ffi::OsString;
use std::time::Duration;

use trellis_core::Model;

use super::{Probe, trellis2};

/// A step.
pub(super) struct Step {
    /// For people.
    pub(super) name: &'static str,
    /// Python.
    pub(super) program: String,
    /// What takes its time.
    pub(super) work: Work,
}

/// What a step does, which decides its limit and what a step that does not end may be waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// Imports from a cold disk; TRELLIS's first makes numba compile.
    Import,
    /// Runs on the GPU.
    Gpu,
    /// Loads the model, whose folder it gets.
    Load,
}

impl Step {
    pub(super) fn arguments(&self, probe: &Probe) -> Vec<OsString> {
        let model = probe.model.as_ref().filter(|_| self.work == Work::Load);
        model
            .map(|folder| folder.clone().into_os_string())
            .into_iter()
            .collect()
    }
}

/// Leaves a step out where there is no GPU.
const NEEDS_GPU: &str =
    "import torch\nif not torch.cuda.is_available():\n    print('left out: no GPU')\n    raise SystemExit\n";

const TORCH: &str = "\
import torch
print(f'PyTorch: {torch.__version__}')
print(f'CUDA available: {torch.cuda.is_available()}')
if torch.cuda.is_available():
    print(f'Device: {torch.cuda.get_device_name(0)}')
";

const MATMUL: &str = "\
a = torch.ones(256, 256, device='cuda', dtype=torch.float16)
assert float((a @ a)[0, 0]) == 256.0, 'wrong product'
";

/// The shape of TRELLIS's attention: (batch, tokens, heads, channels) in half precision.
const ATTENTION: &str = "\
import xformers.ops
q = torch.randn(1, 1024, 16, 64, device='cuda', dtype=torch.float16)
out = xformers.ops.memory_efficient_attention(q, q, q)
assert bool(torch.isfinite(out).all()), 'attention gave infinite values'
";

const SPARSE: &str = "\
import spconv.pytorch as spconv
n = torch.arange(64, device='cuda', dtype=torch.int32)
coords = torch.stack([n * 0, n // 16, (n // 4) % 4, n % 4], dim=1)
x = spconv.SparseConvTensor(torch.ones(64, 16, device='cuda', dtype=torch.float16), coords, [4, 4, 4], 1)
conv = spconv.SubMConv3d(16, 16, 3, indice_key='probe').cuda().half()
assert bool(torch.isfinite(conv(x).features).all()), 'convolution gave infinite values'
";

/// TRELLIS prints which backends it took when these are imported. What the pipeline and a job import follows,
/// the parts that take longest last.
const TRELLIS: &str = "\
import importlib.util
if importlib.util.find_spec('trellis') is None:
    print('left out: TRELLIS is not in this environment')
    raise SystemExit
import trellis.modules.sparse
import trellis.modules.attention
import trellis.pipelines
import trellis.utils.postprocessing_utils
import utils3d.torch
import diff_gaussian_rasterization
";

const PIPELINE: &str = "\
import importlib.util, sys
if importlib.util.find_spec('trellis') is None:
    print('left out: TRELLIS is not in this environment')
    raise SystemExit
from trellis.pipelines import TrellisImageTo3DPipeline
TrellisImageTo3DPipeline.from_pretrained(sys.argv[1])
print('✓ Pipeline loaded successfully')
";

/// Prints the stack shortly before the time is up, so that it shows what the step was doing. Where an interpreter has
/// no `faulthandler`, the step runs without.
pub(super) fn stack_before(limit: Duration) -> String {
    let seconds = limit.as_secs_f64() * 0.8;
    format!(
        "try:\n    import faulthandler\n    faulthandler.dump_traceback_later({seconds:.3})\n\
         except Exception:\n    pass\n"
    )
}

/// Does without nvdiffrast where it is not installed, as a worker does until something is drawn with it.
const WITHOUT_NVDIFFRAST: &str = "\
import importlib.util, sys, types
if importlib.util.find_spec('nvdiffrast') is None:
    print('nvdiffrast: not installed, so no jobs of the `quality` `exact`')
    package, module = (types.ModuleType(name) for name in ('nvdiffrast', 'nvdiffrast.torch'))
    package.__path__, package.torch = [], module
    sys.modules.update({'nvdiffrast': package, 'nvdiffrast.torch': module})
";

fn step(name: &'static str, program: &str) -> Step {
    Step {
        name,
        program: program.to_owned(),
        work: Work::Import,
    }
}

fn on_gpu(name: &'static str, program: &str) -> Step {
    Step {
        name,
        program: format!("{NEEDS_GPU}{program}"),
        work: Work::Gpu,
    }
}

fn without_nvdiffrast(program: &str) -> String {
    format!("{WITHOUT_NVDIFFRAST}{program}")
}

/// All steps for the models of the environment; that of the model folder only if there is one.
pub(super) fn all(probe: &Probe) -> Vec<Step> {
    let mut steps = vec![step("torch", TORCH), on_gpu("matrix product", MATMUL)];
    if probe.models.is_empty() || probe.models.contains(&Model::TrellisImageLarge) {
        steps.extend(of_trellis(probe.model.is_some()));
    }
    if probe.models.contains(&Model::Trellis2) {
        steps.extend(of_trellis2());
    }
    steps
}

fn of_trellis(with_the_model: bool) -> Vec<Step> {
    let xformers = "import xformers.ops\nprint(f'xformers: {xformers.__version__}')\n";
    let spconv = "import spconv.pytorch\nprint(f'spconv: {spconv.__version__}')\n";
    let kaolin = "import kaolin\nprint(f'kaolin: {kaolin.__version__}')\n";
    let mut steps = vec![
        step("xformers", xformers),
        step("spconv", spconv),
        step("kaolin", kaolin),
        on_gpu("attention", ATTENTION),
        on_gpu("sparse convolution", SPARSE),
        step("TRELLIS", &without_nvdiffrast(TRELLIS)),
    ];
    if with_the_model {
        steps.push(Step {
            name: "pipeline",
            program: without_nvdiffrast(PIPELINE),
            work: Work::Load,
        });
    }
    steps
}

/// Its model folder is not loaded: its own loader would ask a hub for what is not needed, and leaves what does not fit random.
fn of_trellis2() -> Vec<Step> {
    vec![
        on_gpu("attention of TRELLIS.2", trellis2::ATTENTION),
        on_gpu("Triton", trellis2::TRITON),
        on_gpu("FlexGEMM", trellis2::FLEX_GEMM),
        on_gpu("CuMesh", trellis2::CUMESH),
        on_gpu("o-voxel", &without_nvdiffrast(trellis2::O_VOXEL)),
        step("TRELLIS.2", &without_nvdiffrast(trellis2::TRELLIS2)),
    ]
}
