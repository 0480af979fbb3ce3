# Two machines with a folder that both mount; this one takes requests and works.
{
  services.trellis-server = {
    enable = true;
    backend = "relief";
    user = "trellis-server";
    webhookSecretFile = "/run/secrets/trellis-webhook-secret";
    store = {
      url = "postgres://trellis@10.0.0.11/trellis?sslmode=disable";
      passwordFile = "/run/secrets/trellis-store-password";
      blobs = "/srv/trellis";
      allowedNetworks = [ "10.0.0.0/24" ];
    };
  };
  users.users.trellis-server.uid = 980;
}
