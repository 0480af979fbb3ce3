# A Unix socket for a proxy on the same machine; nothing listens on the network.
{
  services.trellis-server = {
    backend = "relief";
    socket = "/run/trellis-server.sock";
    socketGroup = "nginx";
    settings.listen.allowed_hosts = [ "3d.example.org" ];
  };
}
