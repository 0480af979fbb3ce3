# Appended to a copy of `trellis2/pipelines/trellis2_image_to_3d.py` by source.sh. All models do their work,
# but their weights are random: what they say of the shape and its colours is replaced by a sphere with stripes,
# so that each level meets as many voxels as an object has, and the result can be compared with what is known.
# Where TRELLIS_SPHERE_RADIUS is `none`, they keep their say.
import os


def _sphere_everywhere() -> None:
    import torch

    from ..models.sc_vaes import sparse_unet_vae

    radius = float(os.environ.get("TRELLIS_SPHERE_RADIUS", "0.25"))
    sampled = Trellis2ImageTo3DPipeline.sample_sparse_structure
    decoded = sparse_unet_vae.SparseUnetVaeDecoder.forward
    upsampled = sparse_unet_vae.SparseResBlockC2S3d._forward

    def side(coords):
        """Of the grid that a sphere's voxels are of; the sides here are multiples of 8."""
        return int((int(coords[:, 1:].max()) + 1) / (0.5 + radius)) // 8 * 8

    def crossed(cells, count):
        """Whether the surface goes through these cells of a grid with so many in a row."""
        low = cells / count - 0.5
        high = (cells + 1) / count - 0.5
        nearest = torch.maximum(torch.maximum(low, -high), torch.zeros_like(low)).norm(dim=-1)
        furthest = torch.maximum(low.abs(), high.abs()).norm(dim=-1)
        return (nearest <= radius) & (furthest > radius)

    def structure(self, cond, resolution, *args, **options):
        coords = sampled(self, cond, resolution, *args, **options)
        row = torch.arange(resolution, device=coords.device)
        grid = torch.stack(torch.meshgrid(row, row, row, indexing="ij"), -1).reshape(-1, 3)
        shell = grid[crossed(grid.double(), resolution)].int()
        return torch.cat([torch.zeros_like(shell[:, :1]), shell], -1)

    def subdivide(self, x, subdiv=None):
        if not self.pred_subdiv:
            return upsampled(self, x, subdiv)
        told = self.to_subdiv
        corner = torch.tensor(
            [[i % 2, i // 2 % 2, i // 4] for i in range(8)], device=x.coords.device, dtype=torch.float64
        )

        def forced(h):
            said = told(h)
            children = 2 * h.coords[:, None, 1:].double() + corner
            inside = crossed(children, 2 * side(h.coords))
            return said.replace(inside.to(said.feats.dtype) * 2 - 1)

        # A module's own children are looked up before its attributes.
        del self._modules["to_subdiv"]
        self.to_subdiv = forced
        try:
            return upsampled(self, x)
        finally:
            del self.to_subdiv
            self.to_subdiv = told

    def surface(coords, count):
        """What the shape's decoder says of each voxel: a vertex, which edges are crossed, how to split."""
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

    def colours(coords, count):
        """Base colour, metallic, roughness and alpha of each voxel, from -1 to 1: what `stripes` says."""
        return stripes((coords[:, 1:].double() + 0.5) / count - 0.5) * 2 - 1

    def decode(self, x, *args, **options):
        result = decoded(self, x, *args, **options)
        h = result[0] if isinstance(result, tuple) else result
        said = (surface if self.out_channels == 7 else colours)(h.coords, side(h.coords))
        h = h.replace(said.to(h.feats.dtype))
        return (h, *result[1:]) if isinstance(result, tuple) else h

    def stripes(places):
        """The six numbers (N, 6), from 0 to 1, of places (N, 3) in the space from -0.5 to 0.5."""
        waves = 0.5 + 0.4 * torch.sin(places * torch.tensor([20.0, 26.0, 32.0], device=places.device))
        metallic = 0.5 + 0.4 * torch.sin(places[:, :1] * 14)
        roughness = 0.5 + 0.4 * torch.cos(places[:, 1:2] * 14)
        return torch.cat([waves, metallic, roughness, torch.ones_like(metallic)], -1)

    Trellis2ImageTo3DPipeline.sample_sparse_structure = structure
    Trellis2ImageTo3DPipeline.stripes = staticmethod(stripes)
    sparse_unet_vae.SparseResBlockC2S3d._forward = subdivide
    sparse_unet_vae.SparseUnetVaeDecoder.forward = decode


if os.environ.get("TRELLIS_SPHERE_RADIUS") != "none":
    _sphere_everywhere()
