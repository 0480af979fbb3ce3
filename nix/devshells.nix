# `nix develop` for the Rust and web parts, `nix develop .#cuda` for TRELLIS itself.
{
  lib,
  pkgs,
  pkgsCuda,
  craneLib,
  hasGpu,
  server-preview,
  python-env,
  environment,
}:
{
  default = craneLib.devShell {
    inputsFrom = [ server-preview ];
    packages = [
      pkgs.rust-analyzer
      pkgs.cargo-nextest
      pkgs.cargo-deny
      pkgs.cargo-insta
      # The reference page of the HTTP interface and its tests.
      pkgs.nodejs
      pkgs.ruff
      pkgs.mypy
      # Nix and shell.
      pkgs.nixfmt
      pkgs.shellcheck
    ];
  };
}
// lib.optionalAttrs hasGpu {
  cuda = pkgsCuda.mkShell {
    packages = [
      python-env
      pkgsCuda.trellisCudaHome
      server-preview
    ];
    CUDA_HOME = "${pkgsCuda.trellisCudaHome}";
    # One line: what this shell pins, and whether this machine can use it.
    shellHook = ''
      ${environment.script}
      printf 'torch %s · xformers %s · CUDA %s · ' ${
        lib.escapeShellArgs [
          python-env.python.pkgs.torch.version
          python-env.python.pkgs.xformers.version
          pkgsCuda.trellisPins.cuda.version
        ]
      }
      if trellis doctor --env ${python-env} >/dev/null 2>&1; then
        echo 'doctor: ready'
      else
        echo 'doctor: not ready, run `trellis doctor`'
      fi
    '';
  };
}
