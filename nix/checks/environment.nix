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

  withModels = environmentWith { };
  bare = environmentWith { withModels = false; };
  second = environmentWith { models = [ "trellis2-4b" ]; };
  both = environmentWith {
    models = [
      "trellis-image-large"
      "trellis2-4b"
    ];
  };
  # What a server of one model has no use for: gigabytes that would come along.
  ofFirst = [
    models.trellis-image-large
    models.dinov2.torchHome
    withModels.python-env
  ];
  ofSecond = [
    models.trellis2-4b
    second.python-env-trellis2
  ];
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
      lib.filter (package: refersTo package bare.script) (weights ++ ofSecond)
    )
    ++ map (package: "the server of TRELLIS brings ${package.name}") (
      lib.filter (package: refersTo package withModels.script) ofSecond
    )
    ++ map (package: "the server of TRELLIS.2 brings ${package.name}") (
      lib.filter (package: refersTo package second.script) ofFirst
    )
    ++ map (package: "the server of both lacks ${package.name}") (
      lib.filter (package: !refersTo package both.script) (ofFirst ++ ofSecond ++ [ models.u2net ])
    )
    ++ map (package: "the server of TRELLIS.2 lacks ${package.name}") (
      lib.filter (package: !refersTo package second.script) (ofSecond ++ [ models.u2net ])
    );
in
if wrong == [ ] then
  writeText "environment.json" (builtins.toJSON withModels.names)
else
  throw (lib.concatLines wrong)
