# kaolin: TRELLIS's FlexiCubes needs `kaolin.utils.testing`, which imports the compiled part.
{
  lib,
  buildCudaExtension,
  cython,
  numpy,
  pillow,
  pybind11,
  pygltflib,
  scipy,
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
    pybind11
  ];
  dependencies = [
    numpy
    pillow
    pygltflib
    scipy
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
  # An old spelling of 3.x that newer setuptools reads as a ban on this Python.
  postPatch = ''
    substituteInPlace setup.py --replace-fail "python_requires='~=3.7'" "python_requires='>=3.7'"
  '';

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
