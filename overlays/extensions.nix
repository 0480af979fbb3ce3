# overlays/extensions.nix — the CUDA extensions that TRELLIS renders and textures with, compiled here
# for the wanted capabilities, so that none is compiled at first use.
final: prev: {
  trellisPythonExtensions = (prev.trellisPythonExtensions or [ ]) ++ [
    (
      pyFinal: _pyPrev:
      let
        inherit (final) trellisPins trellisSources;
        versionOf = name: trellisPins.sources.${name}.version;
      in
      {
        nvdiffrast = pyFinal.callPackage ../nix/python/nvdiffrast.nix {
          src = trellisSources.nvdiffrast;
          version = versionOf "nvdiffrast";
        };
        diff-gaussian-rasterization = pyFinal.callPackage ../nix/python/diff-gaussian-rasterization.nix {
          src = trellisSources.mip-splatting;
          version = versionOf "mip-splatting";
        };
        diffoctreerast = pyFinal.callPackage ../nix/python/diffoctreerast.nix {
          src = trellisSources.diffoctreerast;
          glm = trellisSources.glm;
          version = versionOf "diffoctreerast";
        };
      }
    )
  ];
}
