# Behind nginx with TLS: clients come from the network, show a key, and submit large pictures. Driver and
# model are as in single-5090.nix, which goes with it.
{ config, ... }:
let
  server = config.services.trellis-server;
in
{
  services.trellis-server = {
    enable = true;
    # A name and a key a line, put there by sops-nix, agenix or hand; only root needs to read it.
    apiKeysFile = "/run/secrets/trellis-api-keys";
    # The page from which browsers call.
    settings.listen.allowed_origins = [ "https://3d.example.org" ];
    # The name that the proxy hands on.
    settings.listen.allowed_hosts = [ "3d.example.org" ];
    # It says in X-Forwarded-For who asks, so that wrong keys slow only those who send them.
    settings.listen.trusted_proxies = [ "127.0.0.1" ];
  };

  services.nginx = {
    enable = true;
    recommendedProxySettings = true;
    virtualHosts."3d.example.org" = {
      forceSSL = true;
      enableACME = true;
      locations."/" = {
        proxyPass = "http://${server.host}:${toString server.port}";
        extraConfig = ''
          # As large as the server itself takes (limits.body_bytes).
          client_max_body_size 64m;
          # Events are passed on as they come, and a stream may be silent while a job waits.
          proxy_buffering off;
          proxy_read_timeout 1h;
        '';
      };
    };
  };

  security.acme.acceptTerms = true;
  security.acme.defaults.email = "admin@example.org";
  networking.firewall.allowedTCPPorts = [
    80
    443
  ];
}
