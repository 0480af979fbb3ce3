# A pinned wheel as a Python package. Its file name says everything `fetchPypi` needs, so pins.json
# holds that name and the hash, and nothing is said twice.
{
  lib,
  python,
  buildPythonPackage,
  fetchPypi,
  autoPatchelfHook,
  stdenv,

  name,
  pin,
  dependencies ? [ ],
  # Python packages whose shared libraries this wheel links to.
  linksTo ? [ ],
  # C libraries from nixpkgs.
  libraries ? [ ],
  # Libraries that are absent on purpose; each caller says why.
  ignoredLibraries ? [ ],
  license ? lib.licenses.mit,
  passthru ? { },
}:
let
  # Example: "xatlas-0.0.11-cp312-cp312-manylinux_2_28_x86_64.whl"
  tags = lib.splitString "-" (lib.removeSuffix ".whl" pin.filename);
  tag = lib.elemAt tags;
in
buildPythonPackage {
  pname = name;
  inherit (pin) version;
  format = "wheel";

  src = fetchPypi {
    pname = tag 0;
    inherit (pin) version sha256;
    format = "wheel";
    dist = tag 2;
    python = tag 2;
    abi = tag 3;
    platform = tag 4;
  };

  nativeBuildInputs = [ autoPatchelfHook ];
  buildInputs = [ (lib.getLib stdenv.cc.cc) ] ++ libraries;
  inherit dependencies;

  # libcuda belongs to the driver of the machine: the wrapper brings it at run time.
  autoPatchelfIgnoreMissingDeps = [ "libcuda.so.1" ] ++ ignoredLibraries;
  # Wheels find each other by paths relative to one site-packages folder; here each has its own.
  preFixup = lib.concatMapStrings (package: ''
    addAutoPatchelfSearchPath ${package}/${python.sitePackages}
  '') linksTo;
  # Some libraries open their neighbours by bare name (cuDNN, NVRTC's builtins).
  appendRunpaths = [ "$ORIGIN" ];
  # Already stripped, and a second time breaks the fat binaries' alignment.
  dontStrip = true;

  pythonImportsCheck = [ ];
  inherit passthru;
  meta = {
    description = "${name}, the wheel that nix/pins.json pins";
    inherit license;
    platforms = [ "x86_64-linux" ];
    sourceProvenance = [ lib.sourceTypes.binaryNativeCode ];
  };
}
