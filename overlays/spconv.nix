# overlays/spconv.nix — spconv and cumm as wheels. Their prebuilt kernels carry PTX that the driver
# compiles for 12.0; a source build can't, as the cumm that spconv accepts does not know 12.0
# (docs/blackwell.md has the reasons in full).
final: prev: {
  trellisPythonExtensions = (prev.trellisPythonExtensions or [ ]) ++ [
    (
      pyFinal: _pyPrev:
      import ../nix/python/spconv.nix {
        inherit (final) lib;
        inherit pyFinal;
        wheels = final.lib.filterAttrs (_: pin: pin.overlay or "" == "spconv") final.trellisPins.wheels;
      }
    )
  ];
}
