//! The programs of the probe for TRELLIS.2. What they call is small, and no tuning is written.

/// What its flows ask of attention: heads of 128 numbers in bfloat16, over places of one object, over the picture's 1,029
/// tokens, and over rows of different lengths. Each is compared with torch's own attention in single precision.
pub(super) const ATTENTION: &str = "\
import importlib.util
if importlib.util.find_spec('xformers') is None and importlib.util.find_spec('flash_attn') is not None:
    print('left out: attention is that of `flash_attn` here')
    raise SystemExit
import xformers.ops
from xformers.ops.fmha.attn_bias import BlockDiagonalMask
from torch.nn.functional import scaled_dot_product_attention

def operator(*given):
    try:
        from xformers.ops.fmha import Inputs
        from xformers.ops.fmha.dispatch import _dispatch_fw
        return _dispatch_fw(Inputs(*given), False).NAME
    except Exception as error:
        return f'an operator that this xformers does not name ({type(error).__name__})'

def ours(q, k, v):
    q, k, v = (x.float().transpose(1, 2) for x in (q, k, v))
    return scaled_dot_product_attention(q, k, v).transpose(1, 2)

def compare(name, queries, keys):
    q = torch.randn(1, sum(queries), 12, 128, device='cuda', dtype=torch.bfloat16)
    k, v = (torch.randn(1, sum(keys), 12, 128, device='cuda', dtype=torch.bfloat16) for _ in range(2))
    mask = BlockDiagonalMask.from_seqlens(queries, keys) if len(queries) > 1 else None
    found = xformers.ops.memory_efficient_attention(q, k, v, mask)
    parts = zip(q.split(queries, 1), k.split(keys, 1), v.split(keys, 1))
    right = torch.cat([ours(*part) for part in parts], 1)
    error = (found.float() - right).abs().max()
    said = f'{name}: {operator(q, k, v, mask)}, apart from SDPA by {float(error):.1e}'
    assert error < 0.02, said
    print(said)

compare('self-attention', [1024], [1024])
compare('cross-attention', [1024], [1029])
compare('rows of different lengths', [300, 724], [300, 724])
";

/// Triton reads a kernel's source from its file.
pub(super) const TRITON: &str = "\
import importlib, os, sys, tempfile
import triton
KERNEL = '''
import triton
import triton.language as tl

@triton.jit
def twice(source, to, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    tl.store(to + at, 2 * tl.load(source + at))
'''
with tempfile.TemporaryDirectory() as folder:
    with open(os.path.join(folder, 'trellis_probe_kernel.py'), 'w') as file:
        file.write(KERNEL)
    sys.path.insert(0, folder)
    kernel = importlib.import_module('trellis_probe_kernel')
    source = torch.arange(64.0, device='cuda')
    to = torch.zeros_like(source)
    kernel.twice[(1,)](source, to, BLOCK=64)
    assert bool((to == source * 2).all()), 'a kernel of Triton doubled numbers wrongly'
print(f'Triton: {triton.__version__}')
";

/// Every place of a cube has itself and its neighbours for neighbours: 27 within, 8 in a corner.
pub(super) const FLEX_GEMM: &str = "\
import os
os.environ['FLEX_GEMM_USE_AUTOTUNE_CACHE'] = os.environ['FLEX_GEMM_AUTOSAVE_AUTOTUNE_CACHE'] = '0'
from flex_gemm.ops import grid_sample, spconv
spconv.set_algorithm('explicit_gemm')
n = torch.arange(64, device='cuda', dtype=torch.int32)
coords = torch.stack([n * 0, n // 16, (n // 4) % 4, n % 4], dim=1).contiguous()
ones = torch.ones(64, 16, device='cuda', dtype=torch.float16)
weight = torch.ones(16, 3, 3, 3, 16, device='cuda', dtype=torch.float16)
out, _ = spconv.sparse_submanifold_conv3d(ones, coords, torch.Size([1, 16, 4, 4, 4]), weight, None, None, (1, 1, 1))
assert float(out.max()) == 27 * 16 and float(out.min()) == 8 * 16, 'a sparse convolution of FlexGEMM gave wrong sums'
";

/// The registry has a package of this name that is somebody else's.
pub(super) const CUMESH: &str = "\
import cumesh
if not (hasattr(cumesh, 'CuMesh') and hasattr(cumesh, 'cuBVH')):
    raise AttributeError('this `cumesh` is another package of that name: that of TRELLIS.2 has `CuMesh` and `cuBVH`')
corners = [[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)]
sides = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
halves = [[a, *rest] for a, b, c, d in sides for rest in ((b, c), (c, d))]
vertices = torch.tensor(corners, device='cuda')
faces = torch.tensor(halves, device='cuda', dtype=torch.int32)
mesh = cumesh.CuMesh()
mesh.init(vertices, faces)
mesh.unify_face_orientations()
assert len(mesh.read()[1]) == 12, 'CuMesh lost faces of a cube'
away = float(cumesh.cuBVH(vertices, faces).unsigned_distance(torch.zeros(1, 3, device='cuda'))[0])
assert abs(away - 1) < 1e-3, f'the tree of CuMesh finds a cube of side 2 at {away} from its centre'
";

/// Places to a code and back.
pub(super) const O_VOXEL: &str = "\
import o_voxel
coords = torch.tensor([[1, 2, 3], [7, 0, 5]], device='cuda', dtype=torch.int32)
back = o_voxel.serialize.decode_seq(o_voxel.serialize.encode_seq(coords))
assert bool((back == coords).all()), 'o-voxel gave other places back'
import o_voxel.convert
import o_voxel.postprocess
";

/// What its pipeline and a job import, as a worker sets it up.
pub(super) const TRELLIS2: &str = "\
import os
os.environ['SPARSE_CONV_BACKEND'] = 'flex_gemm'
import trellis2.modules.sparse
import trellis2.modules.attention
import trellis2.models
import trellis2.pipelines
import trellis2.representations
";
