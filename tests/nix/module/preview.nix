# The preview form, as it is with nothing else set.
{ services.trellis-server.backend = "relief"; }
