# The wrapper and the supervisor agree on the worker's environment, and a server has its models in its closure
# or none at all.
{
  lib,
  environmentWith,
  models,
  writeText,
}:
let
  lists = lib.importJSON ../../crates/trellis-supervisor/src/environment.json;
  names = map (variable: variable.name);
  passedOn =
    names lists.defaults ++ names lists.fixed ++ lib.concatMap (group: group.names) lists.taken_over;
  forTriton = lib.concatMap (group: group.names) (
    lib.filter (group: lib.elem "TRITON_PTXAS_PATH" group.names) lists.taken_over
  );

  withModels = environmentWith true;
  bare = environmentWith false;
  refersTo =
    package: text:
    builtins.hasAttr (builtins.unsafeDiscardStringContext package.drvPath) (builtins.getContext text);
  weights = [
    models.trellis-image-large
    models.dinov2.torchHome
    models.u2net
  ];

  wrong =
    map (name: "${name} is set by the wrapper, and the supervisor keeps it from the worker") (
      lib.filter (name: !lib.hasPrefix "TRELLIS_" name) (lib.subtractLists passedOn withModels.names)
    )
    ++ map (name: "${name} is what Triton needs, and the wrapper does not set it") (
      lib.subtractLists withModels.names forTriton
    )
    ++ map (package: "the server lacks ${package.name}") (
      lib.filter (package: !refersTo package withModels.script) weights
    )
    ++ map (package: "the bare server brings ${package.name}") (
      lib.filter (package: refersTo package bare.script) weights
    );
in
if wrong == [ ] then
  writeText "environment.json" (builtins.toJSON withModels.names)
else
  throw (lib.concatLines wrong)
