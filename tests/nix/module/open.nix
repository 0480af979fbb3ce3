# Open to a network without keys, as somebody asked for.
{
  services.trellis-server = {
    backend = "relief";
    host = "10.0.0.2";
    insecureNoAuth = true;
  };
}
