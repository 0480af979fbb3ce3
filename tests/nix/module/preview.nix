# The preview form, with keys: what tests/nixos/systemd.sh and the VM test run.
{
  services.trellis-server = {
    backend = "relief";
    apiKeysFile = "/etc/trellis-api-keys";
  };
}
