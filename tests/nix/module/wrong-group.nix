{
  services.trellis-server = {
    backend = "relief";
    socketGroup = "nginx";
  };
}
