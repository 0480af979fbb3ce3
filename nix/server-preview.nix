# The program with the embedded backend alone: no CUDA, nothing unfree.
{
  lib,
  stdenv,
  craneLib,
  installShellFiles,
  rust,
  page,
}:
craneLib.buildPackage (
  rust.program
  // {
    cargoArtifacts = rust.dependencies;
    TRELLIS_PAGE_DIST = page;
    # Tests are a check of their own (nix/checks/rust-tests.nix).
    doCheck = false;

    nativeBuildInputs = [ installShellFiles ];
    # The program writes both itself.
    postInstall = lib.optionalString (stdenv.buildPlatform.canExecute stdenv.hostPlatform) ''
      "$out/bin/trellis" man >trellis.1
      installManPage trellis.1
      for shell in bash zsh fish; do
        "$out/bin/trellis" completions "$shell" >"trellis.$shell"
      done
      installShellCompletion --cmd trellis --bash trellis.bash --zsh trellis.zsh --fish trellis.fish
    '';
    doInstallCheck = true;
    installCheckPhase = ''
      runHook preInstallCheck
      "$out/bin/trellis" --version | grep -F ${lib.escapeShellArg rust.version}
      for file in man/man1/trellis.1.gz bash-completion/completions/trellis.bash \
        zsh/site-functions/_trellis fish/vendor_completions.d/trellis.fish; do
        [ -s "$out/share/$file" ] || { echo "share/$file was not installed" >&2; exit 1; }
      done
      runHook postInstallCheck
    '';

    meta = {
      description = "Makes 3D assets from pictures; this form has the embedded preview backend only";
      license = with lib.licenses; [
        mit
        asl20
      ];
      mainProgram = "trellis";
      platforms = lib.platforms.linux;
    };
  }
)
