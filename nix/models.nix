# What TRELLIS would download at run time, as inputs. A file whose hash is publicly known is fetched
# by it; for the rest building says which command fetches, verifies and locks it.
{
  lib,
  runCommand,
  fetchurl,
  trellisPins,
  trellisSources,
}:
let
  pins = trellisPins.models;

  # Stands for a file that no public hash pins, in the manner of nixpkgs' requireFile (which wants a
  # hash). Evaluates, and fails with the message when something needs it built.
  # Type: { name, what, option } -> Derivation
  fetchedByUser =
    {
      name,
      what,
      option,
    }:
    runCommand name
      {
        message = ''

          ${what} is not pinned by a public hash, so Nix cannot fetch it.

            trellis model fetch ${pins.trellis-image-large.repository}

          fetches it, verifies it and writes a lock beside it. Then give the folder to the server:
          ${option}
        '';
        passAsFile = [ "message" ];
        preferLocalBuild = true;
        allowSubstitutes = false;
        meta.description = "${what}, to be fetched with `trellis model fetch`";
      }
      ''
        cat "$messagePath" >&2
        exit 1
      '';

in
{
  trellis-image-large = fetchedByUser {
    name = "trellis-image-large";
    what = "The model folder ${pins.trellis-image-large.repository}";
    option = "TRELLIS_MODEL_PATH, or services.trellis-server.model on NixOS";
  };

  dinov2 = {
    # The picture encoder's code: torch.hub would ask GitHub for it on every start.
    code = trellisSources.dinov2;
    inherit (pins.dinov2) file;
    # `null` until a public source gives the hash: then it lies in the state directory, where
    # `trellis model fetch` puts it.
    weights =
      if pins.dinov2.sha256 == null then null else fetchurl { inherit (pins.dinov2) url sha256; };
  };

  # As rembg lays it out below U2NET_HOME.
  u2net = runCommand "u2net-home" { } ''
    mkdir "$out"
    ln -s ${fetchurl { inherit (pins.u2net) url sha256; }} "$out/${pins.u2net.file}"
  '';
}
