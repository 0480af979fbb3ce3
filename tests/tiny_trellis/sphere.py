

# Appended to a copy of `trellis/pipelines/trellis_image_to_3d.py` by tests/gpu/real-trellis. All models do their
# work, but their weights are random: what they say of the shape is replaced by a sphere, so that decoding,
# simplifying and baking meet a mesh of ordinary size and smoothness.
def _sphere_everywhere() -> None:
    import torch

    from ..models.structured_latent_vae.decoder_mesh import SLatMeshDecoder

    radius = 0.4
    sampled = TrellisImageTo3DPipeline.sample_sparse_structure
    represented = SLatMeshDecoder.to_representation

    def structure(self, *args, **options):
        coords = sampled(self, *args, **options)
        side = torch.arange(64, device=coords.device)
        grid = torch.stack(torch.meshgrid(side, side, side, indexing="ij"), -1).reshape(-1, 3)
        away = ((grid + 0.5) / 64 - 0.5).norm(dim=-1) - radius
        # As many voxels at the surface as an object of TRELLIS's own examples has.
        shell = grid[away.abs() < 1.05 / 64]
        return torch.cat([torch.zeros_like(shell[:, :1]), shell], -1).to(coords.dtype)

    def mesh(self, cubefeats):
        # The worker may have put another in its place.
        extractor = getattr(self.mesh_extractor, "_extractor", self.mesh_extractor)
        corner = torch.tensor(
            [[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)], device=cubefeats.coords.device
        )
        places = (cubefeats.coords[:, 1:, None].transpose(1, 2) + corner) / extractor.res - 0.5
        feats = cubefeats.feats.clone()
        first, last = extractor.layouts["sdf"]["range"]
        feats[:, first:last] = (places.norm(dim=-1) - radius).to(feats.dtype)
        for name in ("deform", "weights"):
            first, last = extractor.layouts[name]["range"]
            feats[:, first:last] = 0
        return represented(self, cubefeats.replace(feats))

    TrellisImageTo3DPipeline.sample_sparse_structure = structure
    SLatMeshDecoder.to_representation = mesh


_sphere_everywhere()
