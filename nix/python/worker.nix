# The process that runs TRELLIS, from this repository.
{
  lib,
  buildPythonPackage,
  setuptools,
  fast-simplification,
  imageio,
  imageio-ffmpeg,
  numpy,
  pillow,
  torch,
  trellis,
}:
let
  root = ../../worker;
  project = lib.importTOML (root + "/pyproject.toml");
in
buildPythonPackage {
  pname = project.project.name;
  inherit (project.project) version;
  pyproject = true;
  src = lib.fileset.toSource {
    inherit root;
    fileset = lib.fileset.unions [
      (root + "/pyproject.toml")
      (root + "/trellis_worker")
    ];
  };
  build-system = [ setuptools ];
  dependencies = [
    # A GLB's mesh is simplified with it.
    fast-simplification
    # Writes the MP4 of a turntable, the one with the other.
    imageio
    imageio-ffmpeg
    numpy
    pillow
    torch
    trellis
  ];
  # Its tests run in the project's own test command, without this environment.
  doCheck = false;
  pythonImportsCheck = [ "trellis_worker" ];
  meta = {
    description = "The worker process of trellis-server";
    license = with lib.licenses; [
      mit
      asl20
    ];
    mainProgram = "trellis-worker";
  };
}
