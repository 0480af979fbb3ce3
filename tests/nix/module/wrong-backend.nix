{ pkgs, ... }:
{
  services.trellis-server = {
    backend = "trellis";
    package = pkgs.coreutils;
  };
}
