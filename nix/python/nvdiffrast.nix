# nvdiffrast: TRELLIS bakes textures with it. From this release on it is compiled at installation.
{
  lib,
  buildCudaExtension,
  # The Python distribution, which pyproject.toml asks for beside the program.
  ninja,
  numpy,
  src,
  version,
}:
buildCudaExtension {
  pname = "nvdiffrast";
  inherit version src;
  build-system = [ ninja ];
  dependencies = [ numpy ];
  pythonImportsCheck = [ "nvdiffrast.torch" ];
  meta = {
    description = "Modular primitives for differentiable rendering";
    homepage = "https://github.com/NVlabs/nvdiffrast";
    # NVIDIA's source code licence: no commercial use.
    license = lib.licenses.unfree;
  };
}
