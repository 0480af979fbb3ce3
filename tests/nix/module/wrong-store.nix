# A password in the store, files nowhere, the database's password in the store too.
{
  services.trellis-server = {
    enable = true;
    backend = "relief";
    store.url = "postgres://trellis:secret@db.example.org/trellis";
    store.passwordFile = "/nix/store/eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee-password";
  };
}
