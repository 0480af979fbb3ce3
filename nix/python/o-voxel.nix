# o-voxel: TRELLIS.2's voxels, between them and meshes, and its GLB. A folder of TRELLIS.2's repository, with Eigen as a
# submodule in it.
{
  lib,
  buildCudaExtension,
  cumesh,
  easydict,
  flex-gemm,
  numpy,
  nvdiffrast,
  opencv-python-headless,
  pillow,
  plyfile,
  python,
  tqdm,
  trimesh,
  zstandard,
  src,
  version,
}:
buildCudaExtension {
  pname = "o-voxel";
  inherit version src;
  sourceRoot = "source/o-voxel";
  # Both would be fetched from their newest commit.
  postPatch = ''
    substituteInPlace pyproject.toml \
      --replace-fail '"cumesh @ git+https://github.com/JeffreyXiang/CuMesh.git"' '"cumesh"' \
      --replace-fail '"flex_gemm @ git+https://github.com/JeffreyXiang/FlexGEMM.git"' '"flex_gemm"'
  '';
  build-system = [
    easydict
    numpy
    plyfile
    tqdm
    trimesh
    zstandard
  ];
  dependencies = [
    cumesh
    easydict
    flex-gemm
    numpy
    # The texture of a GLB is drawn with it; no requirement names it, nor the two below.
    nvdiffrast
    opencv-python-headless
    pillow
    plyfile
    tqdm
    trimesh
    zstandard
  ];
  # Importing the package imports FlexGEMM, which asks the GPU for its name.
  checkPhase = ''
    runHook preInstallCheck
    ${python.interpreter} ${./load-extension.py} "$out/${python.sitePackages}/o_voxel/_C"
    runHook postInstallCheck
  '';
  meta = {
    description = "Voxels of TRELLIS.2";
    homepage = "https://github.com/microsoft/TRELLIS.2";
    license = with lib.licenses; [
      mit
      # Eigen's.
      mpl20
    ];
  };
}
