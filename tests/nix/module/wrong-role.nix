{
  services.trellis-server = {
    enable = true;
    backend = "relief";
    role = "worker";
  };
}
