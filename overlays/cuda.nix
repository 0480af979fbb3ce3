# overlays/cuda.nix — the CUDA release of the pinned torch (pins.json: cuda), because an extension
# must be compiled by the nvcc of the release that torch was built with.
# Gives it a name of our own: the user's `cudaPackages` stays as it is. Inside our Python set,
# `cudaPackages` is this one.
final: prev: {
  trellisCudaPackages = final.${final.trellisPins.cuda.nixpkgs};

  trellisCudaHome = final.callPackage ../nix/cuda-home.nix {
    cudaPackages = final.trellisCudaPackages;
  };

  # What our extensions are compiled for, in the order of `config.cudaCapabilities`; the pinned ones
  # first where the user set none, since nixpkgs' own default is every card there is.
  trellisCudaCapabilities =
    let
      configured = prev.config.cudaCapabilities or [ ];
    in
    if configured == [ ] then final.trellisPins.cuda.capabilities else configured;

  trellisPythonExtensions = (prev.trellisPythonExtensions or [ ]) ++ [
    (pyFinal: _pyPrev: {
      cudaPackages = final.trellisCudaPackages;
      buildCudaExtension = pyFinal.callPackage ../nix/python/cuda-extension.nix {
        cudaHome = final.trellisCudaHome;
        capabilities = final.trellisCudaCapabilities;
      };
    })
  ];
}
