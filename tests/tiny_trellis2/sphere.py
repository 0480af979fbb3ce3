# Appended to a copy of `trellis2/pipelines/trellis2_image_to_3d.py` by source.sh. All models do their work,
# but their weights are random: what they say of the shape and its colours is replaced by a sphere with stripes,
# so that each level meets as many voxels as an object has, and the result can be compared with what is known.
# Where TRELLIS_SPHERE_RADIUS is `none`, they keep their say.
import faulthandler
import os
import signal

# Says where a job is that takes long.
faulthandler.register(signal.SIGUSR1)
RADIUS = os.environ.get("TRELLIS_SPHERE_RADIUS", "0.25")
# So many rows at once: the models' memory is what is measured.
ROWS = 1 << 18


def _in_parts(function, coords):
    return torch.cat([function(part) for part in coords.split(ROWS)])


def _side(coords):
    """Of the grid that these are the sphere's voxels of; the sides here are multiples of 8."""
    return int((int(coords[:, 1:].max()) + 1) / (0.5 + float(RADIUS))) // 8 * 8


def _crossed(cells, count):
    """Whether the surface goes through these cells of a grid with so many in a row."""
    low = cells / count - 0.5
    high = (cells + 1) / count - 0.5
    nearest = torch.maximum(torch.maximum(low, -high), torch.zeros_like(low)).norm(dim=-1)
    furthest = torch.maximum(low.abs(), high.abs()).norm(dim=-1)
    return (nearest <= float(RADIUS)) & (furthest > float(RADIUS))


def _surface(coords, count):
    """What the shape's decoder says of each voxel: a vertex, which edges are crossed, how to split."""
    radius = float(RADIUS)
    cells = coords[:, 1:].double()
    middle = (cells + 0.5) / count - 0.5
    vertex = (middle / middle.norm(dim=-1, keepdim=True) * radius + 0.5) * count - cells
    places = (vertex.clamp(0.02, 0.98) + 0.5) / 2
    far = ((cells + 1) / count - 0.5).norm(dim=-1) > radius
    edges = []
    for axis in range(3):
        start = cells + 1
        start[:, axis] -= 1
        edges.append(((start / count - 0.5).norm(dim=-1) > radius) != far)
    crossings = torch.stack(edges, -1).double() * 2 - 1
    return torch.cat([torch.logit(places), crossings, torch.zeros_like(vertex[:, :1])], -1)


def _stripes(places):
    """Base colour, metallic, roughness and alpha (N, 6), from 0 to 1, of places (N, 3) from -0.5 to 0.5."""
    waves = 0.5 + 0.4 * torch.sin(places * torch.tensor([20.0, 26.0, 32.0], device=places.device))
    metallic = 0.5 + 0.4 * torch.sin(places[:, :1] * 14)
    roughness = 0.5 + 0.4 * torch.cos(places[:, 1:2] * 14)
    return torch.cat([waves, metallic, roughness, torch.ones_like(metallic)], -1)


def _colours(coords, count):
    """What the texture's decoder says of each voxel."""
    return _stripes((coords[:, 1:].double() + 0.5) / count - 0.5) * 2 - 1


def _children(coords):
    """Which of each voxel's eight children the surface goes through."""
    count = 2 * _side(coords)
    corner = torch.tensor([[i % 2, i // 2 % 2, i // 4] for i in range(8)], device=coords.device)
    return _in_parts(lambda part: _crossed(2 * part[:, None, 1:].double() + corner, count), coords)


def _sphere_everywhere():
    from ..models.sc_vaes import sparse_unet_vae

    block, decoder = sparse_unet_vae.SparseResBlockC2S3d, sparse_unet_vae.SparseUnetVaeDecoder
    sampled = Trellis2ImageTo3DPipeline.sample_sparse_structure
    upsampled, decoded = block._forward, decoder.forward

    def structure(self, cond, resolution, *args, **options):
        coords = sampled(self, cond, resolution, *args, **options)
        row = torch.arange(resolution, device=coords.device)
        grid = torch.stack(torch.meshgrid(row, row, row, indexing="ij"), -1).reshape(-1, 3)
        shell = grid[_crossed(grid.double(), resolution)].int()
        return torch.cat([torch.zeros_like(shell[:, :1]), shell], -1)

    def subdivide(self, x, subdiv=None):
        if not self.pred_subdiv:
            return upsampled(self, x, subdiv)
        told = self.to_subdiv

        def forced(h):
            said = told(h)
            return said.replace(_children(h.coords).to(said.feats.dtype) * 2 - 1)

        # A module's own children are looked up before its attributes.
        del self._modules["to_subdiv"]
        self.to_subdiv = forced
        try:
            return upsampled(self, x)
        finally:
            del self.to_subdiv
            self.to_subdiv = told

    def decode(self, x, *args, **options):
        result = decoded(self, x, *args, **options)
        h = result[0] if isinstance(result, tuple) else result
        says = _surface if self.out_channels == 7 else _colours
        count, dtype = _side(h.coords), h.feats.dtype
        h = h.replace(_in_parts(lambda part: says(part, count).to(dtype), h.coords))
        return (h, *result[1:]) if isinstance(result, tuple) else h

    Trellis2ImageTo3DPipeline.sample_sparse_structure = structure
    Trellis2ImageTo3DPipeline.stripes = staticmethod(_stripes)
    block._forward, decoder.forward = subdivide, decode


if RADIUS != "none":
    _sphere_everywhere()
