# overlays/python-extras.nix — what TRELLIS and kaolin import and nixpkgs lacks, or has in a version
# that is not the pinned one and matters (warp-lang carries CUDA code).
final: prev: {
  trellisPythonExtensions = (prev.trellisPythonExtensions or [ ]) ++ [
    (
      pyFinal: _pyPrev:
      let
        wheel =
          name: arguments:
          pyFinal.callPackage ../nix/python/wheel.nix (
            {
              inherit name;
              pin = final.trellisPins.wheels.${name};
            }
            // arguments
          );
      in
      {
        xatlas = wheel "xatlas" {
          imports = [ "xatlas" ];
          dependencies = [ pyFinal.numpy ];
        };
        pymeshfix = wheel "pymeshfix" {
          imports = [ "pymeshfix" ];
          dependencies = [
            pyFinal.numpy
            pyFinal.pyvista
          ];
          license = final.lib.licenses.gpl3Plus;
        };
        warp-lang = wheel "warp-lang" {
          imports = [ "warp" ];
          dependencies = [ pyFinal.numpy ];
          license = final.lib.licenses.asl20;
        };
        utils3d = pyFinal.callPackage ../nix/python/utils3d.nix {
          src = final.trellisSources.utils3d;
          inherit (final.trellisPins.sources.utils3d) version;
        };
      }
    )
  ];
}
