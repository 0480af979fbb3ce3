# One folder with compiler, headers and libraries: torch's extension builder and kaolin's setup.py
# look for everything below a single CUDA_HOME.
{
  lib,
  symlinkJoin,
  cudaPackages,
}:
let
  # What is included, by torch's headers or the extensions, and the package it comes from.
  headers = {
    "cublas_v2.h" = cudaPackages.libcublas;
    "cuda_profiler_api.h" = cudaPackages.cuda_profiler_api;
    "cuda_runtime.h" = cudaPackages.cuda_cudart;
    "curand.h" = cudaPackages.libcurand;
    "cusolverDn.h" = cudaPackages.libcusolver;
    "cusparse.h" = cudaPackages.libcusparse;
    "nvrtc.h" = cudaPackages.cuda_nvrtc;
    "nvtx3/nvToolsExt.h" = cudaPackages.cuda_nvtx;
    "thrust/version.h" = cudaPackages.cuda_cccl;
  };
  parts = [
    cudaPackages.cuda_nvcc
    cudaPackages.cuda_cudart
    cudaPackages.cuda_cccl
    cudaPackages.cuda_nvrtc
    cudaPackages.cuda_nvtx
    cudaPackages.cuda_profiler_api
    cudaPackages.libcublas
    cudaPackages.libcurand
    cudaPackages.libcusolver
    cudaPackages.libcusparse
  ];
in
symlinkJoin {
  name = "cuda-home-${cudaPackages.cudaMajorMinorVersion}";
  paths = lib.concatMap (
    part:
    [
      (lib.getBin part)
      (lib.getDev part)
      # Headers have an output of their own; `dev` only points to it.
      (lib.getInclude part)
      (lib.getLib part)
    ]
    # kaolin links the static runtime, others find stubs of libcuda there.
    ++ lib.optional (part ? static) part.static
    ++ lib.optional (part ? stubs) part.stubs
  ) parts;
  # torch looks in lib64. What every extension needs is looked for here, where the error can say what is
  # absent, and not in the middle of the first extension.
  postBuild = ''
    [ -e "$out/lib64" ] || ln -s lib "$out/lib64"
    for file in bin/{nvcc,ptxas} include/{${lib.concatStringsSep "," (lib.attrNames headers)}} lib/libcudart{.so,_static.a}; do
      [ -e "$out/$file" ] || { echo "$name has no $file: which output of which package holds it?" >&2; exit 1; }
    done
  '';
  passthru = { inherit headers; };
  meta.license = lib.licenses.nvidiaCudaRedist or lib.licenses.unfreeRedistributable;
}
