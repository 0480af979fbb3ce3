{
  services.trellis-server = {
    backend = "relief";
    host = "0.0.0.0";
    openFirewall = true;
  };
}
