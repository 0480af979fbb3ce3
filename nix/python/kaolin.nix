# kaolin: TRELLIS's FlexiCubes needs `kaolin.utils.testing`, which imports the compiled part.
{
  lib,
  buildCudaExtension,
  cython,
  numpy,
  packaging,
  pillow,
  pybind11,
  pygltflib,
  scipy,
  torchvision,
  tqdm,
  warp-lang,
  src,
  version,
}:
buildCudaExtension {
  pname = "kaolin";
  inherit version src;

  build-system = [
    cython
    numpy
    packaging
    pybind11
  ];
  # setuptools has dropped pkg_resources.
  postPatch = ''
    substituteInPlace setup.py --replace-fail \
      "from pkg_resources import parse_version" "from packaging.version import parse as parse_version"
  '';
  dependencies = [
    numpy
    pillow
    pygltflib
    scipy
    # Imported by `kaolin.visualize`, though no requirement names it.
    torchvision
    tqdm
    warp-lang
  ];
  # Notebook widgets, a web viewer and USD: kaolin imports them only where they are there.
  pythonRemoveDeps = [
    "comm"
    "flask"
    "ipycanvas"
    "ipyevents"
    "ipython"
    "jupyter_client"
    "jupyter-client"
    "tornado"
    "usd-core"
  ];
  # setup.py takes torch up to 2.8 only; kaolin's sources compile against ours.
  env.IGNORE_TORCH_VER = "1";

  pythonImportsCheck = [
    "kaolin._C"
    "kaolin.utils.testing"
  ];
  meta = {
    description = "PyTorch library for 3D deep learning, compiled against the pinned torch";
    homepage = "https://github.com/NVIDIAGameWorks/kaolin";
    license = lib.licenses.asl20;
  };
}
