# HTTPS at the service's own port, open to a network, with keys.
{
  services.trellis-server = {
    backend = "relief";
    host = "0.0.0.0";
    openFirewall = true;
    apiKeysFile = "/etc/trellis-api-keys";
    tls.certificate = "/var/lib/acme/3d.example.org/fullchain.pem";
    tls.key = "/var/lib/acme/3d.example.org/key.pem";
  };
}
