{ services.trellis-server.port = 80000; }
