# overlays/trellis2.nix — TRELLIS.2 as a Python package (upstream has none), and what it is compiled with and
# encodes pictures with. No registry has the first three: the one package named `cumesh` there is another.
final: prev: {
  trellisPythonExtensions = (prev.trellisPythonExtensions or [ ]) ++ [
    (
      pyFinal: _pyPrev:
      let
        inherit (final) trellisPins trellisSources;
        ofSource = name: {
          src = trellisSources.${name};
          inherit (trellisPins.sources.${name}) version;
        };
        wheel =
          name: arguments:
          pyFinal.callPackage ../nix/python/wheel.nix (
            {
              inherit name;
              pin = trellisPins.wheels.${name};
              license = final.lib.licenses.asl20;
            }
            // arguments
          );
      in
      {
        # DINOv3 is in it from 4.56 on; 5 has other names inside.
        transformers = wheel "transformers" {
          imports = [ "transformers" ];
          dependencies = [
            pyFinal.filelock
            pyFinal.huggingface-hub
            pyFinal.numpy
            pyFinal.packaging
            pyFinal.pyyaml
            pyFinal.regex
            pyFinal.requests
            pyFinal.safetensors
            pyFinal.tokenizers
            pyFinal.tqdm
          ];
        };
        tokenizers = wheel "tokenizers" {
          imports = [ "tokenizers" ];
          dependencies = [ pyFinal.huggingface-hub ];
        };
        cumesh = pyFinal.callPackage ../nix/python/cumesh.nix (ofSource "cumesh");
        flex-gemm = pyFinal.callPackage ../nix/python/flex-gemm.nix (ofSource "flex-gemm");
        o-voxel = pyFinal.callPackage ../nix/python/o-voxel.nix (ofSource "trellis2");
        trellis2 = pyFinal.callPackage ../nix/python/trellis2.nix (ofSource "trellis2");
      }
    )
  ];
}
