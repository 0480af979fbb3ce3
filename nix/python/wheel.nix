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
  # Modules that must be importable from what was built, on a machine without a GPU or driver. What has
  # none says why.
  imports,
  # Python that fails where an import alone succeeds without the compiled part.
  proof ? "pass",
  dependencies ? [ ],
  # Python packages whose shared libraries this wheel links to.
  linksTo ? [ ],
  # C libraries from nixpkgs.
  libraries ? [ ],
  # Folders, below a wheel's site-packages, of libraries that are opened by name at run time.
  opens ? [ ],
  # Libraries that are absent on purpose; each caller says why.
  ignoredLibraries ? [ ],
  # Top-level packages that other wheels put files into as well.
  namespaces ? [ ],
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

  autoPatchelfIgnoreMissingDeps = ignoredLibraries;
  # Wheels find each other by paths relative to one site-packages folder; here each has its own.
  preFixup = lib.concatMapStrings (package: ''
    addAutoPatchelfSearchPath ${package}/${python.sitePackages}
  '') linksTo;
  # Some libraries open their neighbours by bare name (cuDNN, NVRTC's builtins).
  appendRunpaths = [ "$ORIGIN" ] ++ opens;
  pythonImportsCheck = imports;
  # After the libraries were patched, and before the import check.
  doInstallCheck = true;
  installCheckPhase = ''
    runHook preInstallCheck
    # numba, warp and Triton, which some of these import, keep caches at home.
    export HOME="$TMPDIR"
    PYTHONPATH="$out/${python.sitePackages}:$PYTHONPATH" ${python.interpreter} -c ${lib.escapeShellArg proof}
    runHook postInstallCheck
  '';
  # The hook that fills the output `dist` would keep each wheel a second time, gigabytes in all, and nobody
  # asks for it. The check of the requirements has read the wheel by now.
  postInstall = ''
    rm dist/*.whl
  '';
  # Upstream stripped it; gigabytes of libraries would be read once more for nothing.
  dontStrip = true;
  # Each would bring an `__init__.py` of that name, and its bytecode, which holds the store path: the
  # environment could not be joined.
  pythonNamespaces = namespaces;

  inherit passthru;
  meta = {
    description = "${name}, the wheel that nix/pins.json pins";
    inherit license;
    platforms = [ "x86_64-linux" ];
    sourceProvenance = [ lib.sourceTypes.binaryNativeCode ];
  };
}
