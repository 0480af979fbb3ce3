# Webhooks: the network that they need, and no more.
{
  services.trellis-server = {
    backend = "relief";
    webhookSecretFile = "/run/secrets/trellis-webhook-secret";
    settings.webhooks.allow = [
      "hooks.internal"
      "10.1.0.0/16"
      "fd00::8"
    ];
  };
}
