# overlays/python-extras.nix — what TRELLIS, kaolin and the worker import and nixpkgs lacks, or has in a version
# that is not the pinned one and matters (warp-lang carries CUDA code); and what nixpkgs has, but in no
# cache for the pinned Python: VTK, OpenCV and ONNX Runtime are hours of C++ to compile.
final: prev: {
  trellisPythonExtensions = (prev.trellisPythonExtensions or [ ]) ++ [
    (
      pyFinal: _pyPrev:
      let
        wheel =
          name: arguments:
          pyFinal.callPackage ../nix/python/wheel.nix (
            {
              inherit name;
              pin = final.trellisPins.wheels.${name};
            }
            // arguments
          );
      in
      {
        xatlas = wheel "xatlas" {
          imports = [ "xatlas" ];
          dependencies = [ pyFinal.numpy ];
        };
        # Our worker's, not TRELLIS's.
        fast-simplification = wheel "fast-simplification" {
          imports = [ "fast_simplification" ];
          dependencies = [ pyFinal.numpy ];
        };
        pymeshfix = wheel "pymeshfix" {
          imports = [ "pymeshfix" ];
          dependencies = [
            pyFinal.numpy
            pyFinal.pyvista
          ];
          license = final.lib.licenses.gpl3Plus;
        };
        warp-lang = wheel "warp-lang" {
          imports = [ "warp" ];
          dependencies = [ pyFinal.numpy ];
          license = final.lib.licenses.asl20;
        };
        vtk = wheel "vtk" {
          imports = [ "vtkmodules.all" ];
          dependencies = [ pyFinal.matplotlib ];
          libraries = [
            (final.libx11 or final.xorg.libX11)
            (final.libxrender or final.xorg.libXrender)
          ];
          license = final.lib.licenses.bsd3;
        };
        opencv-python-headless = wheel "opencv-python-headless" {
          imports = [ "cv2" ];
          dependencies = [ pyFinal.numpy ];
          libraries = [ final.zlib ];
          license = final.lib.licenses.asl20;
        };
        # Two distributions with one module cannot stand side by side: the names that nixpkgs' packages ask
        # for are the same wheel.
        opencv4 = pyFinal.opencv-python-headless;
        opencv-python = pyFinal.opencv-python-headless;
        onnxruntime = wheel "onnxruntime" {
          imports = [ "onnxruntime" ];
          dependencies = [
            pyFinal.coloredlogs
            pyFinal.flatbuffers
            pyFinal.numpy
            pyFinal.packaging
            pyFinal.protobuf
            pyFinal.sympy
          ];
        };
        utils3d = pyFinal.callPackage ../nix/python/utils3d.nix {
          src = final.trellisSources.utils3d;
          inherit (final.trellisPins.sources.utils3d) version;
        };
      }
    )
  ];
}
