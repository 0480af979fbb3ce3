# The overlays by name. Each is usable alone: it brings what it stands on. `default` is all of them.
# Python packages go into an interpreter of our own (`trellisPythonEnv.python`), so that nothing else
# in a user's nixpkgs is rebuilt.
{ inputs }:
let
  inherit (inputs.nixpkgs) lib;

  # What every one of them reads: the pins, the sources, and the interpreter made of the list that
  # the others add to.
  base = final: _prev: {
    trellisPins = lib.importJSON ../nix/pins.json;
    trellisSources = lib.mapAttrs (_: source: inputs.${source.input}) final.trellisPins.sources;
    trellisPythonEnv = final.callPackage ../nix/python-env.nix { };
    trellis2PythonEnv = final.callPackage ../nix/python-env.nix { model = "trellis2"; };
  };

  parts = {
    cuda = ./cuda.nix;
    torch = ./torch.nix;
    xformers = ./xformers.nix;
    kaolin = ./kaolin.nix;
    spconv = ./spconv.nix;
    extensions = ./extensions.nix;
    python-extras = ./python-extras.nix;
    trellis = ./trellis.nix;
    trellis2 = ./trellis2.nix;
  };

  # What a part stands on.
  needs = {
    cuda = [ ];
    torch = [ "cuda" ];
    xformers = needs.torch ++ [ "torch" ];
    kaolin = needs.extensions;
    spconv = needs.torch ++ [ "torch" ];
    extensions = needs.xformers ++ [ "python-extras" ];
    python-extras = [ ];
    trellis = lib.subtractLists [ "trellis" "trellis2" ] (lib.attrNames parts);
    trellis2 = needs.extensions ++ [
      "extensions"
      # Of this only the worker.
      "trellis"
    ];
  };

  compose =
    names: lib.composeManyExtensions ([ base ] ++ map (name: import parts.${name}) (lib.unique names));
in
lib.mapAttrs (name: _: compose (needs.${name} ++ [ name ])) parts
// {
  default = compose (lib.attrNames parts);
}
