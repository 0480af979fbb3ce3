# overlays/trellis.nix — TRELLIS as a Python package (upstream has none), with its FlexiCubes
# submodule in place and DINOv2's code from the store; and the worker that runs it.
final: prev: {
  trellisPythonExtensions = (prev.trellisPythonExtensions or [ ]) ++ [
    (pyFinal: _pyPrev: {
      trellis = pyFinal.callPackage ../nix/python/trellis.nix {
        src = final.trellisSources.trellis;
        inherit (final.trellisSources) flexicubes dinov2;
        inherit (final.trellisPins.sources.trellis) version;
      };
      trellis-worker = pyFinal.callPackage ../nix/python/worker.nix { };
    })
  ];
}
