//! The programs of the probe. Their lines on standard output are the answer; a line `left out: …` means
//! that the step does not apply here.

use std::ffi::OsString;
use std::path::Path;

use super::Probe;

/// A step.
pub(super) struct Step {
    /// For people.
    pub(super) name: &'static str,
    /// Python.
    pub(super) program: String,
    /// Whether it gets the model folder and the longer limit.
    pub(super) loads_model: bool,
}

impl Step {
    pub(super) fn arguments(&self, probe: &Probe) -> Vec<OsString> {
        let model = probe.model.as_ref().filter(|_| self.loads_model);
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

/// TRELLIS prints which backends it took when these are imported.
const TRELLIS: &str = "\
import importlib.util
if importlib.util.find_spec('trellis') is None:
    print('left out: TRELLIS is not in this environment')
    raise SystemExit
import trellis.modules.sparse
import trellis.modules.attention
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

/// All steps; that of the model only if there is one.
pub(super) fn all(model: Option<&Path>) -> Vec<Step> {
    let step = |name, program: String| Step {
        name,
        program,
        loads_model: false,
    };
    let on_gpu = |program: &str| format!("{NEEDS_GPU}{program}");
    let mut steps = vec![
        step("torch", TORCH.to_owned()),
        step(
            "xformers",
            "import xformers.ops\nprint(f'xformers: {xformers.__version__}')\n".to_owned(),
        ),
        step(
            "spconv",
            "import spconv.pytorch\nprint(f'spconv: {spconv.__version__}')\n".to_owned(),
        ),
        step(
            "kaolin",
            "import kaolin\nprint(f'kaolin: {kaolin.__version__}')\n".to_owned(),
        ),
        step("matrix product", on_gpu(MATMUL)),
        step("attention", on_gpu(ATTENTION)),
        step("sparse convolution", on_gpu(SPARSE)),
        step("TRELLIS", TRELLIS.to_owned()),
    ];
    if model.is_some() {
        steps.push(Step {
            name: "pipeline",
            program: PIPELINE.to_owned(),
            loads_model: true,
        });
    }
    steps
}
