{
  services.trellis-server = {
    backend = "relief";
    dataDir = "/srv/trellis";
  };
}
