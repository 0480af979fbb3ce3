# overlays/kaolin.nix — kaolin from source, because it must be compiled against exactly our torch.
# Adds to the project's own Python set only: the user's python3Packages stay as they are.
final: prev: {
  trellisPythonExtensions = (prev.trellisPythonExtensions or [ ]) ++ [
    (pyFinal: _pyPrev: {
      kaolin = pyFinal.callPackage ../nix/python/kaolin.nix {
        src = final.trellisSources.kaolin;
        inherit (final.trellisPins.sources.kaolin) version;
      };
    })
  ];
}
