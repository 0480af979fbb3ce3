{
  services.trellis-server = {
    enable = true;
    backend = "relief";
    store.url = "postgres://trellis@db.example.org/trellis";
    store.blobs = "/srv/trellis";
  };
}
