# The model folder has every file that the pins name, each by its pinned hash: fetched, or written where no
# source gives the hash. Evaluated only: building it fetches gigabytes.
{
  lib,
  models,
  writeText,
}:
let
  pins = (lib.importJSON ../pins.json).models;
  inherit (models.trellis-image-large) parts;
  sri =
    sha256:
    builtins.convertHash {
      hash = sha256;
      hashAlgo = "sha256";
      toHashFormat = "sri";
    };
  is =
    sha256: package: package.outputHash or null == sri sha256 || package.outputHash or null == sha256;

  wrong =
    map (file: "${file.path} is not fetched by its hash") (
      lib.filter (
        file: if file.sources == 0 then !(parts ? ${file.path}) else !is file.sha256 parts.${file.path}
      ) pins.trellis-image-large.files
    )
    ++ lib.optional (
      lib.length (lib.attrNames parts) != lib.length pins.trellis-image-large.files
    ) "the model folder has another number of files than the pins"
    ++ lib.optional (!is pins.dinov2.sha256 models.dinov2.weights) "DINOv2 is not fetched by its hash";
in
if wrong == [ ] then
  writeText "models.json" (
    builtins.toJSON (
      map (package: builtins.unsafeDiscardStringContext package.drvPath) [
        models.trellis-image-large
        models.dinov2.torchHome
        models.u2net
      ]
    )
  )
else
  throw (lib.concatLines wrong)
