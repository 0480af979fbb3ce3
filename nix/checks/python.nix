# What the Python recipes must have, and no evaluation of the recipes themselves would miss.
{
  lib,
  packages,
  writeText,
}:
let
  pins = lib.importJSON ../pins.json;
  set = packages.python-env.python.pkgs;
  normal = name: lib.toLower (lib.replaceStrings [ "_" "." ] [ "-" "-" ] name);
  names = lib.concatStringsSep ", ";

  compiled = [
    "cumesh"
    "diff-gaussian-rasterization"
    "diffoctreerast"
    "flex-gemm"
    "kaolin"
    "nvdiffrast"
    "o-voxel"
  ];
  ours = compiled ++ [
    "trellis"
    "trellis-worker"
    "trellis2"
    "utils3d"
  ];
  isLibrary = lib.hasPrefix "nvidia-";
  # spconv and cumm are pinned under the name of their CUDA release.
  attribute = name: if isLibrary name then name else lib.head (lib.splitString "-cu" name);
  wheels = map attribute (lib.attrNames (lib.filterAttrs (_: pin: pin ? overlay) pins.wheels));

  # Each distribution that a source asks for when it is built is there as a Python package: a program of
  # the same name does not count.
  # Example: "setuptools>=64" asks for "setuptools"
  asked =
    package:
    let
      file = "${package.src}/pyproject.toml";
      distribution = line: normal (lib.head (lib.match "([A-Za-z0-9._-]+).*" line));
    in
    lib.optionals (lib.pathExists file) (map distribution (lib.importTOML file).build-system.requires);
  given =
    package:
    map (input: normal input.pname) (
      lib.filter (input: input ? pythonModule) package.nativeBuildInputs
    );
  unmet = name: lib.subtractLists (given set.${name}) (asked set.${name});

  wrong =
    lib.concatMap (
      name: lib.optional (unmet name != [ ]) "${name} is built without ${names (unmet name)}"
    ) ours
    ++ map (name: "${name} is built with pkg_resources, which setuptools has dropped") (
      lib.filter (
        name:
        let
          file = "${set.${name}.src}/setup.py";
          dropped = lib.hasInfix "pkg_resources";
        in
        lib.pathExists file && dropped (lib.readFile file) && !dropped (set.${name}.postPatch or "")
      ) ours
    )
    # Imported once it is built: the first that a wrong library does.
    ++ map (name: "${name} has no import check") (
      lib.filter (
        name:
        let
          package = set.${name};
        in
        !isLibrary name
        && package.pythonImportsCheck or [ ] == [ ]
        # Its own, where importing it takes a GPU.
        && !(package.doInstallCheck or false && package ? installCheckPhase)
      ) (ours ++ wheels)
    )
    # nixpkgs compares each package's own requirements with what is there. Nothing here opts out.
    ++ map (name: "${name} does not compare its requirements") (
      lib.filter (name: set.${name}.dontCheckRuntimeDeps or false) (ours ++ wheels)
    )
    ++ map (name: "${name} keeps its wheel in a second output") (
      lib.filter (name: !lib.hasInfix "rm dist/*.whl" (set.${name}.postInstall or "")) wheels
    );
in
if wrong == [ ] then
  writeText "python.json" (builtins.toJSON (ours ++ wheels))
else
  throw (lib.concatLines ([ "the Python recipes:" ] ++ wrong))
