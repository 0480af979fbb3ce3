# The secret of webhooks where everybody can read it.
{
  services.trellis-server = {
    backend = "relief";
    webhookSecretFile = "/nix/store/0-trellis-webhook-secret";
  };
}
