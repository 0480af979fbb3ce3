# What TRELLIS reads at run time, each file fetched by the hash in nix/pins.json: a file that is another is
# refused, and the error has both hashes. docs/models.md says how many public sources agree on each.
{
  lib,
  runCommand,
  fetchurl,
  server-preview,
  linkFarm,
  python3,
  writeText,
  trellisPins,
  trellisSources,
}:
let
  pins = trellisPins.models;
  model = pins.trellis-image-large;
  second = pins.trellis2-4b;

  fetched = file: fetchurl { inherit (file) url sha256; };
  fetchedFromHub =
    repository: file:
    fetchurl {
      name = baseNameOf file.path;
      url = "https://huggingface.co/${repository.repository}/resolve/${repository.revision}/${file.path}";
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
        if isWritten file then "${written}/${file.path}" else fetchedFromHub model file
      )
    ) model.files
  );
  weights = fetched pins.dinov2;

  # DINOv3's two files as its publisher has them behind an account, made of what timm has without one. Their
  # hashes are known, so what is another is refused.
  fromTimm = fetchedFromHub pins.dinov3 {
    path = pins.dinov3.file;
    inherit (pins.dinov3) sha256;
  };
  dinov3Part =
    file:
    runCommand (baseNameOf file.path)
      {
        nativeBuildInputs = [ server-preview ];
        outputHash = file.sha256;
        outputHashAlgo = "sha256";
        outputHashMode = "flat";
        # "Built with DINOv3": its licence travels with it.
        meta.license = lib.licenses.unfreeRedistributable;
      }
      ''
        trellis model dinov3 ${fromTimm} made
        mv made/${baseNameOf file.path} "$out"
      '';
  # Of another model's repository, of the encoder, or of its own.
  part =
    file:
    if file.of or null == "dinov3" then
      dinov3Part file
    else
      fetchedFromHub (if file ? of then pins.${file.of} else second) file;
  secondParts = lib.listToAttrs (map (file: lib.nameValuePair file.path (part file)) second.files);

  # The same entries as `trellis model lock` writes beside the files: results name the model by it, and the same job
  # is answered by an earlier result of these packages.
  lockOf = pinned: extras: {
    version = 1;
    repo = pinned.repository;
    inherit (pinned) revision;
    files = map (file: { inherit (file) path size sha256; }) pinned.files;
    inherit extras;
  };
  lockedExtra = name: pin: { inherit name; } // { inherit (pin) size sha256; };
  locks = {
    trellis-image-large = lockOf model [
      {
        name = "dinov2_code";
        nar_hash = trellisPins.sources.dinov2.narHash;
      }
      (lockedExtra "dinov2_weights" pins.dinov2)
      (lockedExtra "u2net" pins.u2net)
    ];
    trellis2-4b = lockOf second [ (lockedExtra "u2net" pins.u2net) ];
  };
  withLock =
    name: parts:
    linkFarm name (
      parts
      // {
        "trellis-model.lock.json" = writeText "trellis-model.lock.json" (builtins.toJSON locks.${name});
      }
    );
in
{
  # The model folder, as `trellis model fetch` makes it.
  trellis-image-large = (withLock "trellis-image-large" parts).overrideAttrs (previous: {
    passthru = (previous.passthru or { }) // {
      inherit parts;
      lock = locks.trellis-image-large;
    };
    meta = (previous.meta or { }) // {
      description = "Microsoft's TRELLIS-image-large";
      homepage = "https://huggingface.co/${model.repository}";
      license = lib.licenses.mit;
    };
  });

  # TRELLIS.2's, put together of three repositories.
  trellis2-4b = (withLock "trellis2-4b" secondParts).overrideAttrs (previous: {
    passthru = (previous.passthru or { }) // {
      parts = secondParts;
      lock = locks.trellis2-4b;
    };
    meta = (previous.meta or { }) // {
      description = "Microsoft's TRELLIS.2-4B";
      homepage = "https://huggingface.co/${second.repository}";
      license = with lib.licenses; [
        mit
        unfreeRedistributable
      ];
    };
  });

  # TRELLIS.2's picture encoder by itself.
  dinov3 = linkFarm "dinov3" (
    lib.mapAttrs' (path: lib.nameValuePair (baseNameOf path)) (
      lib.filterAttrs (path: _: lib.hasPrefix "dinov3/" path) secondParts
    )
  );

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
