# What TRELLIS reads at run time, each file fetched by the hash in nix/pins.json: a file that is another is
# refused, and the error has both hashes. docs/models.md says how many public sources agree on each.
{
  lib,
  runCommand,
  fetchurl,
  linkFarm,
  python3,
  writeText,
  trellisPins,
  trellisSources,
}:
let
  pins = trellisPins.models;
  model = pins.trellis-image-large;

  fetched = file: fetchurl { inherit (file) url sha256; };
  fetchedFromHub =
    file:
    fetchurl {
      name = baseNameOf file.path;
      url = "https://huggingface.co/${model.repository}/resolve/${model.revision}/${file.path}";
      inherit (file) sha256;
    };

  # No source gives the hash of these, so they are not fetched but written, from the pinned sources, as the
  # pins have them.
  isWritten = file: file.sources == 0;
  written =
    runCommand "trellis-image-large-configurations"
      {
        nativeBuildInputs = [ python3 ];
        sums = lib.concatMapStrings (file: "${file.sha256}  ${file.path}\n") (
          lib.filter isWritten model.files
        );
        passAsFile = [ "sums" ];
      }
      ''
        python3 ${./model-configurations.py} ${trellisSources.trellis}/configs "$out"
        cd "$out"
        sha256sum --check --strict "$sumsPath"
      '';

  parts = lib.listToAttrs (
    map (
      file:
      lib.nameValuePair file.path (
        if isWritten file then "${written}/${file.path}" else fetchedFromHub file
      )
    ) model.files
  );
  weights = fetched pins.dinov2;
in
{
  # The model folder, as `trellis model fetch` makes it.
  trellis-image-large = (linkFarm "trellis-image-large" parts).overrideAttrs (previous: {
    passthru = (previous.passthru or { }) // {
      inherit parts;
    };
    meta = (previous.meta or { }) // {
      description = "Microsoft's TRELLIS-image-large";
      homepage = "https://huggingface.co/${model.repository}";
      license = lib.licenses.mit;
    };
  });

  # The picture encoder, as torch.hub lays it out: it would ask GitHub for the code on every start, and
  # keeps a list beside it which must be there where nothing can be written.
  dinov2 = {
    code = trellisSources.dinov2;
    inherit weights;
    torchHome = linkFarm "dinov2" {
      "hub/facebookresearch_dinov2_main" = trellisSources.dinov2;
      "hub/checkpoints/${pins.dinov2.file}" = weights;
      "hub/trusted_list" = writeText "trusted_list" "";
    };
  };

  # As rembg lays it out below U2NET_HOME.
  u2net = linkFarm "u2net" { ${pins.u2net.file} = fetched pins.u2net; };
}
