# The servers for other cards are compiled for them, and are otherwise the default one. Evaluated only: each
# compiles every CUDA extension once more.
{
  lib,
  packages,
  writeText,
}:
let
  pins = lib.importJSON ../pins.json;
  environmentOf = name: packages.${name}.python-env;
  wrong = lib.concatLists (
    lib.mapAttrsToList (
      name: card:
      let
        env = environmentOf name;
        # As torch's builder reads it, for machine code of each and PTX of the last.
        list = lib.concatStringsSep ";" card.capabilities + "+PTX";
        extensions = [
          "cumesh"
          "diff-gaussian-rasterization"
          "diffoctreerast"
          "flex-gemm"
          "kaolin"
          "nvdiffrast"
          "o-voxel"
        ];
        compiledFor = extension: env.python.pkgs.${extension}.TORCH_CUDA_ARCH_LIST;
      in
      map (extension: "${name}: ${extension} is compiled for ${compiledFor extension}, not for ${list}") (
        lib.filter (extension: compiledFor extension != list) extensions
      )
      # What is not compiled here is the same for all.
      ++ lib.optional (
        env.python.pkgs.torch.drvPath != packages.python-env.python.pkgs.torch.drvPath
      ) "${name} has a torch of its own"
      # Looked over by the doctor for each of them while it is built.
      ++ lib.optional (env.capabilities != card.capabilities) "${name} is checked for another card"
    ) pins.cuda.packages
  );
in
if wrong == [ ] then
  writeText "cards.json" (
    builtins.toJSON (
      lib.mapAttrs (
        name: _: builtins.unsafeDiscardStringContext packages.${name}.drvPath
      ) pins.cuda.packages
    )
  )
else
  throw (lib.concatLines wrong)
