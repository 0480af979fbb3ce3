# CuMesh: TRELLIS.2 cleans, simplifies and unwraps meshes with it. Its submodules, cuBVH and in that Eigen, are
# part of the source.
{
  lib,
  buildCudaExtension,
  tqdm,
  src,
  version,
}:
buildCudaExtension {
  pname = "cumesh";
  inherit version src;
  dependencies = [ tqdm ];
  pythonImportsCheck = [ "cumesh" ];
  meta = {
    description = "Mesh processing on the GPU";
    homepage = "https://github.com/JeffreyXiang/CuMesh";
    license = with lib.licenses; [
      mit
      # Eigen's.
      mpl20
    ];
  };
}
