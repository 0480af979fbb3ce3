# What TRELLIS would download at run time, as inputs. A file whose hash is publicly known is fetched
# by it; for the rest building says which command fetches, verifies and locks it.
{
  lib,
  runCommand,
  fetchurl,
  trellisPins,
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

  # Type: AttrSet -> (Derivation if the hash is known, else the message)
  file =
    pin: message:
    if pin.sha256 == null then fetchedByUser message else fetchurl { inherit (pin) url sha256; };
in
{
  trellis-image-large = fetchedByUser {
    name = "trellis-image-large";
    what = "The model folder ${pins.trellis-image-large.repository}";
    option = "TRELLIS_MODEL_PATH, or services.trellis-server.model on NixOS";
  };

  # As torch.hub lays it out below TORCH_HOME.
  dinov2 =
    let
      weights = file pins.dinov2 {
        name = pins.dinov2.file;
        what = "DINOv2's weights (${pins.dinov2.file})";
        option = "they lie beside the model folder, where TORCH_HOME is set to by default";
      };
    in
    runCommand "torch-home" { } ''
      mkdir -p "$out/hub/checkpoints"
      ln -s ${weights} "$out/hub/checkpoints/${pins.dinov2.file}"
    '';

  # As rembg lays it out below U2NET_HOME.
  u2net =
    let
      weights = file pins.u2net {
        name = pins.u2net.file;
        what = "rembg's ${pins.u2net.file}";
        option = "U2NET_HOME";
      };
    in
    runCommand "u2net-home" { } ''
      mkdir "$out"
      ln -s ${weights} "$out/${pins.u2net.file}"
    '';
}
