# The documentation as one folder, links between its pages intact.
{
  lib,
  runCommand,
}:
let
  root = ../.;
  source = lib.fileset.toSource {
    inherit root;
    fileset = lib.fileset.unions [
      (root + "/README.md")
      (root + "/SECURITY.md")
      (root + "/docs")
      # Linked to.
      (root + "/samples")
      ./examples
    ];
  };
in
runCommand "trellis-server-docs" { meta.description = "Documentation of trellis-server"; } ''
  mkdir -p "$out/share/doc"
  cp -r ${source} "$out/share/doc/trellis-server"
''
