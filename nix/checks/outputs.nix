# What the outputs are made of, where a wrong choice evaluates all the same, and builds.
{
  lib,
  formatter,
  programs,
  packages,
  rust,
  writeText,
}:
let
  plain = packages.server-preview;
  wrong = lib.concatLists [
    # Bare `nix fmt` has no file names to give.
    (lib.optional (lib.getName formatter == "nixfmt") "the formatter waits for standard input")
    (lib.optional (programs.doctor ? python-env) "the doctor is run from a package that brings CUDA")
    (lib.optional (
      !lib.all (hook: lib.hasInfix hook (plain.postInstall or "")) [
        "installManPage"
        "installShellCompletion"
      ]
    ) "server-preview installs no manual page or no completions")
    # Three quarters of the package's build went into targets that it does not have.
    (lib.optional rust.dependencies.doCheck "the package's dependencies are built for tests")
    (lib.optional (
      plain.cargoArtifacts != rust.dependencies
    ) "the package is built from other dependencies than its own")
  ];
in
if wrong == [ ] then writeText "outputs.json" "[]" else throw (lib.concatLines wrong)
