# TRELLIS.2's inference code as a package. Upstream runs from a checkout.
{
  lib,
  buildPythonPackage,
  setuptools,
  cumesh,
  easydict,
  flex-gemm,
  huggingface-hub,
  numpy,
  nvdiffrast,
  o-voxel,
  onnxruntime,
  opencv-python-headless,
  pillow,
  plyfile,
  python,
  rembg,
  safetensors,
  torch,
  torchvision,
  tqdm,
  transformers,
  trimesh,
  utils3d,
  xformers,

  src,
  version,
}:
buildPythonPackage {
  pname = "trellis2";
  inherit version src;
  pyproject = true;
  build-system = [ setuptools ];

  postPatch = ''
    # Packages only: training, data preparation and the demos stay out, and o-voxel is a package of its own.
    cp ${./trellis2-pyproject.toml} pyproject.toml
    rm -rf trellis2/trainers trellis2/datasets o-voxel
  '';

  dependencies = [
    cumesh
    easydict
    flex-gemm
    huggingface-hub
    numpy
    nvdiffrast
    o-voxel
    onnxruntime
    opencv-python-headless
    pillow
    plyfile
    # Backgrounds are removed with it in place of RMBG-2.0.
    rembg
    safetensors
    torch
    torchvision
    tqdm
    transformers
    trimesh
    utils3d
    xformers
  ];

  # Importing it imports FlexGEMM, which asks the GPU for its name: the files are compiled instead.
  doCheck = true;
  checkPhase = ''
    runHook preInstallCheck
    ${python.interpreter} -m compileall -q "$out/${python.sitePackages}/trellis2"
    runHook postInstallCheck
  '';
  meta = {
    description = "Microsoft TRELLIS.2, inference part";
    homepage = "https://github.com/microsoft/TRELLIS.2";
    license = lib.licenses.mit;
    platforms = [ "x86_64-linux" ];
  };
}
