# overlays/torch.nix — torch, torchvision, triton and the NVIDIA libraries torch names, as the wheels
# that upstream tested: built from source they take hours and still need the same libraries.
final: prev: {
  trellisPythonExtensions = (prev.trellisPythonExtensions or [ ]) ++ [
    (
      pyFinal: _pyPrev:
      import ../nix/python/torch.nix {
        inherit (final) lib;
        inherit pyFinal;
        wheels = final.lib.filterAttrs (_: pin: pin.overlay or "" == "torch") final.trellisPins.wheels;
        pkgs = final;
      }
    )
  ];
}
