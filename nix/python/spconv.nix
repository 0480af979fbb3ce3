# spconv, cumm (its kernels' library) and the two build helpers that both import at run time.
{
  lib,
  pyFinal,
  wheels,
}:
let
  wheel =
    name: arguments:
    pyFinal.callPackage ./wheel.nix (
      {
        inherit name;
        pin = wheels.${name};
      }
      // arguments
    );
  named = prefix: lib.findFirst (lib.hasPrefix prefix) null (lib.attrNames wheels);
  # The release for CUDA 12.x is a distribution of its own name.
  cummName = named "cumm-";
  spconvName = named "spconv-";
in
{
  # Small helpers that the four below name.
  fire = wheel "fire" {
    imports = [ "fire" ];
    dependencies = [ pyFinal.termcolor ];
  };
  lark = wheel "lark" { imports = [ "lark" ]; };
  portalocker = wheel "portalocker" { imports = [ "portalocker" ]; };

  ccimport = wheel "ccimport" {
    imports = [ "ccimport" ];
    dependencies = [
      pyFinal.ninja
      pyFinal.pybind11
      pyFinal.requests
    ];
  };
  pccm = wheel "pccm" {
    imports = [ "pccm" ];
    dependencies = [
      pyFinal.ccimport
      pyFinal.fire
      pyFinal.lark
      pyFinal.portalocker
      pyFinal.pybind11
    ];
  };
  cumm = wheel cummName {
    imports = [
      "cumm"
      "cumm.tensorview"
    ];
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
    imports = [ "spconv.pytorch" ];
    # Named by no requirement of its own, and imported by `spconv.pytorch`.
    dependencies = [
      pyFinal.torch
      pyFinal.ccimport
      pyFinal.cumm
      pyFinal.fire
      pyFinal.numpy
      pyFinal.pccm
      pyFinal.pybind11
    ];
    license = lib.licenses.asl20;
  };
}
