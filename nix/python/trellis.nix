# TRELLIS's inference code as a package. Upstream runs from a checkout; here it gets metadata, its
# submodule, and two changes: no text pipeline until it is asked for, no code from the network.
{
  lib,
  buildPythonPackage,
  setuptools,
  diff-gaussian-rasterization,
  diffoctreerast,
  easydict,
  huggingface-hub,
  igraph,
  imageio,
  kaolin,
  numpy,
  nvdiffrast,
  onnxruntime,
  opencv4,
  pillow,
  plyfile,
  pymeshfix,
  pyvista,
  rembg,
  safetensors,
  scipy,
  spconv,
  torch,
  torchvision,
  tqdm,
  trimesh,
  utils3d,
  xatlas,
  xformers,

  src,
  flexicubes,
  dinov2,
  version,
}:
buildPythonPackage {
  pname = "trellis";
  inherit version src;
  pyproject = true;
  build-system = [ setuptools ];

  postPatch = ''
    # Packages only: training, data preparation and the demos stay out.
    cp ${./trellis-pyproject.toml} pyproject.toml
    rm -rf trellis/trainers trellis/datasets

    # The submodule that a github input leaves out.
    rm -rf trellis/representations/mesh/flexicubes
    cp -r ${flexicubes} trellis/representations/mesh/flexicubes
    chmod -R u+w trellis/representations/mesh/flexicubes

    # Importing the text pipeline imports open3d and transformers, which pictures do not need.
    substituteInPlace trellis/pipelines/__init__.py \
      --replace-fail "from .trellis_text_to_3d import TrellisTextTo3DPipeline" "" \
      --replace-fail "globals()[config['name']]" "_pipeline(config['name'])"
    cat ${./lazy-text-pipeline.py} >>trellis/pipelines/__init__.py

    # torch.hub would ask GitHub for DINOv2's code on every start.
    substituteInPlace trellis/pipelines/trellis_image_to_3d.py --replace-fail \
      "torch.hub.load('facebookresearch/dinov2', name, pretrained=True)" \
      "torch.hub.load('${dinov2}', name, source='local', pretrained=True)"
  '';

  dependencies = [
    diff-gaussian-rasterization
    diffoctreerast
    easydict
    huggingface-hub
    igraph
    imageio
    kaolin
    numpy
    nvdiffrast
    onnxruntime
    opencv4
    pillow
    plyfile
    pymeshfix
    pyvista
    rembg
    safetensors
    scipy
    spconv
    torch
    torchvision
    tqdm
    trimesh
    utils3d
    xatlas
    xformers
  ];

  # Importing the package picks an attention backend and prints so; it needs no GPU.
  preInstallCheck = ''
    export ATTN_BACKEND=xformers SPARSE_BACKEND=spconv
  '';
  pythonImportsCheck = [ "trellis.pipelines" ];
  meta = {
    description = "Microsoft TRELLIS, inference part";
    homepage = "https://github.com/microsoft/TRELLIS";
    license = lib.licenses.mit;
    platforms = [ "x86_64-linux" ];
  };
}
