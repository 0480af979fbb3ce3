# spconv, cumm (its kernels' library) and the two build helpers that both import at run time.
{
  lib,
  pyFinal,
  wheels,
}:
let
  wheel = name: arguments: pyFinal.callPackage ./wheel.nix ({ inherit name; pin = wheels.${name}; } // arguments);
  named = prefix: lib.findFirst (lib.hasPrefix prefix) null (lib.attrNames wheels);
  # The release for CUDA 12.x is a distribution of its own name.
  cummName = named "cumm-";
  spconvName = named "spconv-";
in
{
  # Small helpers that the four below name.
  fire = wheel "fire" { dependencies = [ pyFinal.termcolor ]; };
  lark = wheel "lark" { };
  portalocker = wheel "portalocker" { };

  ccimport = wheel "ccimport" {
    dependencies = [
      pyFinal.ninja
      pyFinal.pybind11
      pyFinal.requests
    ];
  };
  pccm = wheel "pccm" {
    dependencies = [
      pyFinal.ccimport
      pyFinal.fire
      pyFinal.lark
      pyFinal.portalocker
      pyFinal.pybind11
    ];
  };
  cumm = wheel cummName {
    dependencies = [
      pyFinal.fire
      pyFinal.numpy
      pyFinal.pccm
      pyFinal.pybind11
      pyFinal.sympy
    ];
    # cumm brings its own CUDA runtime and NVRTC inside the wheel.
    license = lib.licenses.asl20;
  };
  spconv = wheel spconvName {
    dependencies = [
      pyFinal.ccimport
      pyFinal.cumm
      pyFinal.fire
      pyFinal.numpy
      pyFinal.pccm
      pyFinal.pybind11
    ];
    linksTo = [ pyFinal.cumm ];
    license = lib.licenses.asl20;
  };
}
