# Builds a Python package with CUDA code against our torch: what kaolin, nvdiffrast and the
# rasterisers have in common. Arguments are those of buildPythonPackage.
{
  lib,
  buildPythonPackage,
  cudaHome,
  cudaPackages,
  ninja,
  setuptools,
  torch,
  wheel,
  which,

  # Compute capabilities to compile for. Type: [ String ]. Example: [ "12.0" "8.9" ]
  capabilities,
}:
arguments:
# The compiler that this nvcc accepts, for C++ and CUDA files alike.
buildPythonPackage.override { stdenv = cudaPackages.backendStdenv; } (
  arguments
  // {
    pyproject = true;
    build-system = [
      setuptools
      wheel
      # setup.py imports torch before anything is installed.
      torch
    ]
    ++ (arguments.build-system or [ ]);
    nativeBuildInputs = [
      cudaHome
      ninja
      which
    ]
    ++ (arguments.nativeBuildInputs or [ ]);
    # ninja is called by torch's builder, not by a ninja build of the package itself.
    dontUseNinjaBuild = true;
    dontUseNinjaInstall = true;
    dontUseNinjaCheck = true;
    dependencies = [ torch ] ++ (arguments.dependencies or [ ]);

    env = {
      CUDA_HOME = "${cudaHome}";
      # No GPU in the build: without this, setup.py of some leaves CUDA out.
      FORCE_CUDA = "1";
      # Machine code for each capability, and PTX of the last for cards that come later.
      TORCH_CUDA_ARCH_LIST = lib.concatStringsSep ";" capabilities + "+PTX";
    }
    // (arguments.env or { });
    # torch's builder would start one nvcc a core, each with gigabytes: hold to Nix's number.
    preBuild = ''
      export MAX_JOBS="$NIX_BUILD_CORES"
      # numba and warp, imported by the import check, keep caches at home.
      export HOME="$TMPDIR"
    ''
    + (arguments.preBuild or "");
    # Tests of these packages need a GPU; some have a check of their own in the place of an import.
    doCheck = arguments ? checkPhase;
    meta = {
      platforms = [ "x86_64-linux" ];
    }
    // arguments.meta;
  }
)
