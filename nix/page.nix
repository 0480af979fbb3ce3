# The page that the server carries: web/, bundled as `make page` does it.
{
  lib,
  stdenvNoCC,
  nodejs,
  cacert,
}:
let
  web = ../web;
  files =
    fileset:
    lib.fileset.toSource {
      root = web;
      inherit fileset;
    };
  # By system, as the bundler is a program. The lock has each package's own hash, but no address, which
  # nixpkgs' functions for npm would need; so npm fetches them, and the whole folder is pinned. `nix/update-page`
  # computes the hashes and `nix/update-page --check` compares them.
  hashes = lib.importJSON ./page-hashes.json;
  packages = stdenvNoCC.mkDerivation {
    name = "trellis-page-packages";
    src = files (
      lib.fileset.unions [
        (web + "/.npmrc")
        (web + "/package.json")
        (web + "/package-lock.json")
      ]
    );
    nativeBuildInputs = [
      nodejs
      cacert
    ];
    impureEnvVars = lib.fetchers.proxyImpureEnvVars;
    buildPhase = ''
      export HOME=$TMPDIR
      npm ci --omit=dev --ignore-scripts --no-audit --no-fund
      # What differs from one npm to the next.
      rm -r node_modules/.bin node_modules/.package-lock.json
      find node_modules -type d -empty -delete
    '';
    installPhase = ''
      mv node_modules "$out"
    '';
    dontFixup = true;
    outputHashMode = "recursive";
    outputHash = hashes.${stdenvNoCC.buildPlatform.system};
  };
in
stdenvNoCC.mkDerivation {
  name = "trellis-page";
  src = files (
    lib.fileset.unions [
      (web + "/package.json")
      (web + "/build.mjs")
      (web + "/src")
    ]
  );
  nativeBuildInputs = [ nodejs ];
  buildPhase = ''
    cp -r ${packages} node_modules
    node build.mjs
  '';
  installPhase = ''
    mv dist "$out"
  '';
  dontFixup = true;
  meta.description = "The page at / of trellis-server";
}
