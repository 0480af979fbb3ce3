# TRELLIS's inference code as a package. Upstream runs from a checkout; here it gets metadata, its
# submodule, and one change: the text pipeline is imported when it is asked for.
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
  opencv-python-headless,
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
    rm -rf trellis/representations/mesh/flexicubes/examples

    # Importing the text pipeline imports open3d and transformers, which pictures do not need.
    substituteInPlace trellis/pipelines/__init__.py \
      --replace-fail "from .trellis_text_to_3d import TrellisTextTo3DPipeline" "" \
      --replace-fail "globals()[config['name']]" "_pipeline(config['name'])"
    cat ${./lazy-text-pipeline.py} >>trellis/pipelines/__init__.py
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
    opencv-python-headless
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

  # Read when the package is imported, as by the check below.
  env = {
    ATTN_BACKEND = "xformers";
    SPARSE_BACKEND = "spconv";
  };
  # numba and warp keep caches at home.
  preBuild = ''
    export HOME="$TMPDIR"
  '';
  pythonImportsCheck = [ "trellis.pipelines" ];
  meta = {
    description = "Microsoft TRELLIS, inference part";
    homepage = "https://github.com/microsoft/TRELLIS";
    license = lib.licenses.mit;
    platforms = [ "x86_64-linux" ];
  };
}
