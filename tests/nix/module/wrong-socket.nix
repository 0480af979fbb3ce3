{
  services.trellis-server = {
    backend = "relief";
    socket = "/run/trellis-server/http.sock";
    tls.certificate = "/etc/trellis/fullchain.pem";
    tls.key = "/etc/trellis/key.pem";
  };
}
