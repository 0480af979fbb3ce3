{ pkgs, ... }:
{
  services.trellis-server = {
    backend = "relief";
    apiKeysFile = pkgs.writeText "keys" "studio:secret";
  };
}
