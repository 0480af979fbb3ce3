# overlays/xformers.nix — xformers, the release whose binaries were compiled against exactly our
# torch. Its kernels reach capability 12.0 as PTX (docs/blackwell.md).
final: prev: {
  trellisPythonExtensions = (prev.trellisPythonExtensions or [ ]) ++ [
    (pyFinal: _pyPrev: {
      xformers = pyFinal.callPackage ../nix/python/wheel.nix {
        name = "xformers";
        pin = final.trellisPins.wheels.xformers;
        imports = [ "xformers.ops" ];
        # Imports without its library, with a warning: the trap of an xformers for another torch.
        proof = "import xformers._cpp_lib as it; assert it._cpp_library_load_exception is None, it._cpp_library_load_exception";
        dependencies = [
          pyFinal.numpy
          pyFinal.torch
        ];
        # torch's libraries: xformers links to them and expects torch to have loaded them first.
        linksTo = [ pyFinal.torch ] ++ pyFinal.torch.nvidiaLibraries;
        license = final.lib.licenses.bsd3;
      };
    })
  ];
}
