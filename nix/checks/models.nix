# The model folder has every file that the pins name, each by its pinned hash: fetched, or written where no
# source gives the hash; its lock has them too. Evaluated only: building it fetches gigabytes.
{
  lib,
  models,
  writeText,
}:
let
  pins = (lib.importJSON ../pins.json).models;
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
    lib.concatMap
      (
        name:
        let
          inherit (models.${name}) parts lock;
          inherit (pins.${name}) files;
          unfixed =
            file: if file.sources == 0 then !(parts ? ${file.path}) else !is file.sha256 parts.${file.path};
        in
        map (file: "${name}: ${file.path} is not fetched by its hash") (lib.filter unfixed files)
        ++ lib.optional (
          lib.length (lib.attrNames parts) != lib.length files
        ) "${name}: the folder has another number of files than the pins"
        ++ lib.optional (
          map (file: file.path) lock.files != map (file: file.path) files
          || lib.any (extra: !lib.isString (extra.sha256 or extra.nar_hash)) lock.extras
        ) "${name}: the lock has other files than the pins"
      )
      [
        "trellis-image-large"
        "trellis2-4b"
      ]
    ++ lib.optional (!is pins.dinov2.sha256 models.dinov2.weights) "DINOv2 is not fetched by its hash";
in
if wrong == [ ] then
  writeText "models.json" (
    builtins.toJSON (
      map (package: builtins.unsafeDiscardStringContext package.drvPath) [
        models.trellis-image-large
        models.trellis2-4b
        models.dinov2.torchHome
        models.dinov3
        models.u2net
      ]
    )
  )
else
  throw (lib.concatLines wrong)
