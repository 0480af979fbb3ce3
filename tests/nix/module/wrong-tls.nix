{ pkgs, ... }:
{
  services.trellis-server = {
    backend = "relief";
    tls.key = pkgs.writeText "key" "-----BEGIN PRIVATE KEY-----";
  };
}
