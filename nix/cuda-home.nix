# One folder with compiler, headers and libraries: torch's extension builder and kaolin's setup.py
# look for everything below a single CUDA_HOME.
{
  lib,
  symlinkJoin,
  cudaPackages,
}:
let
  parts = [
    cudaPackages.cuda_nvcc
    cudaPackages.cuda_cudart
    cudaPackages.cuda_cccl
    cudaPackages.cuda_nvrtc
    cudaPackages.cuda_nvtx
    cudaPackages.cuda_profiler_api
    # Headers that torch's own headers include.
    cudaPackages.libcublas
    cudaPackages.libcurand
    cudaPackages.libcusolver
    cudaPackages.libcusparse
  ];
in
symlinkJoin {
  name = "cuda-home-${cudaPackages.cudaMajorMinorVersion}";
  paths = lib.concatMap (
    part: [ (lib.getBin part) (lib.getDev part) (lib.getLib part) ]
    # kaolin links the static runtime, others find stubs of libcuda there.
    ++ lib.optional (part ? static) part.static
    ++ lib.optional (part ? stubs) part.stubs
  ) parts;
  # torch looks in lib64.
  postBuild = ''[ -e "$out/lib64" ] || ln -s lib "$out/lib64"'';
  meta.license = lib.licenses.nvidiaCudaRedist or lib.licenses.unfreeRedistributable;
}
