# utils3d at the commit that TRELLIS names; later ones renamed what it calls.
{
  lib,
  buildPythonPackage,
  moderngl,
  numpy,
  plyfile,
  scipy,
  setuptools,
  wheel,
  src,
  version,
}:
buildPythonPackage {
  pname = "utils3d";
  inherit version src;
  pyproject = true;
  build-system = [
    setuptools
    wheel
  ];
  dependencies = [
    moderngl
    numpy
    plyfile
    scipy
  ];
  pythonImportsCheck = [ "utils3d" ];
  meta = {
    description = "Small package for 3D graphics";
    homepage = "https://github.com/EasternJournalist/utils3d";
    license = lib.licenses.mit;
  };
}
