# Five machines that share their jobs: a PostgreSQL server and its synchronous standby, two GPU workers, and one that takes
# requests behind nginx. Files are in S3-compatible storage. A module for each machine, by its name; in a flake:
#
#   nixosConfigurations = nixpkgs.lib.mapAttrs (
#     name: machine:
#     nixpkgs.lib.nixosSystem {
#       modules = [ machine trellis-server.nixosModules.default ./hardware/${name}.nix ];
#     }
#   ) (import ./machines.nix);
#
# docs/nixos.md, "Several machines", has what is done once by hand: passwords, and the standby's first copy.
let
  network = "10.0.0.0/24";
  address = {
    db-1 = "10.0.0.11";
    db-2 = "10.0.0.12";
  };

  # With a certificate of the studio's own authority, whose own is /etc/ssl/studio.pem on every machine. sops-nix, agenix or
  # hand puts secrets into /run/secrets, those of the database for the user `postgres` alone.
  database = name: {
    services.postgresql = {
      enable = true;
      enableTCPIP = true;
      settings = {
        ssl = true;
        ssl_cert_file = "/run/secrets/${name}.pem";
        ssl_key_file = "/run/secrets/${name}-key.pem";
        password_encryption = "scram-sha-256";
      };
      authentication = ''
        hostssl trellis     trellis     ${network} scram-sha-256
        hostssl replication replication ${network} scram-sha-256
      '';
    };
    networking.hostName = name;
    networking.firewall.allowedTCPPorts = [ 5432 ];
  };

  # What all that run trellis-server have in common.
  server = {
    services.trellis-server = {
      enable = true;
      store = {
        # Of the two the one that takes changes.
        url = "postgres://trellis@db-1.studio.example,db-2.studio.example/trellis?sslrootcert=/etc/ssl/studio.pem";
        passwordFile = "/run/secrets/trellis-store-password";
        blobs = "s3://studio/trellis?endpoint=https://s3.studio.example&region=us-east-1";
        blobsCredentialsFile = "/run/secrets/trellis-s3";
        allowedNetworks = [ network ];
      };
      # Prometheus, in the same network.
      settings.metrics.public = true;
      settings.log.format = "json";
    };
  };

  gpu =
    name:
    { lib, ... }:
    {
      imports = [ server ];
      services.trellis-server = {
        role = "worker";
        settings.metrics.listen = "0.0.0.0:8001";
        # A switch of the system waits for jobs that run.
        settings.drain_seconds = 120;
      };
      networking.hostName = name;
      networking.firewall.allowedTCPPorts = [ 8001 ];

      services.xserver.videoDrivers = [ "nvidia" ];
      hardware.nvidia.open = true;
      nixpkgs.config.allowUnfreePredicate =
        package:
        builtins.elem (lib.getName package) [
          "nvidia-x11"
          "nvidia-settings"
        ];
    };
in
{
  db-1 = {
    imports = [ (database "db-1") ];
    services.postgresql = {
      ensureDatabases = [ "trellis" ];
      ensureUsers = [
        {
          name = "trellis";
          ensureDBOwnership = true;
        }
        {
          name = "replication";
          ensureClauses.replication = true;
        }
      ];
      # A job is accepted once it is on both disks. While the standby is away, nothing is accepted.
      settings.synchronous_standby_names = "*";
    };
  };

  # It follows db-1 as soon as it has a copy of it.
  db-2 = {
    imports = [ (database "db-2") ];
    services.postgresql.settings.primary_conninfo =
      "host=${address.db-1} user=replication sslmode=verify-ca sslrootcert=/etc/ssl/studio.pem passfile=/run/secrets/replication-pgpass";
  };

  gpu-1 = gpu "gpu-1";
  gpu-2 = gpu "gpu-2";

  api =
    { config, ... }:
    let
      inherit (config.services) trellis-server;
    in
    {
      imports = [ server ];
      services.trellis-server = {
        role = "api";
        socket = "/run/trellis-server.sock";
        socketGroup = "nginx";
        apiKeysFile = "/run/secrets/trellis-api-keys";
        settings.listen.allowed_hosts = [ "3d.studio.example" ];
        settings.metrics.listen = "0.0.0.0:8001";
      };
      networking.hostName = "api";

      services.nginx = {
        enable = true;
        recommendedProxySettings = true;
        virtualHosts."3d.studio.example" = {
          forceSSL = true;
          enableACME = true;
          locations."/" = {
            proxyPass = "http://unix:${trellis-server.socket}";
            extraConfig = ''
              # As large as the server itself takes (limits.body_bytes).
              client_max_body_size 64m;
              # Events are passed on as they come, and a stream may be silent while a job waits.
              proxy_buffering off;
              proxy_read_timeout 1h;
            '';
          };
        };
      };
      security.acme.acceptTerms = true;
      security.acme.defaults.email = "admin@studio.example";
      networking.firewall.allowedTCPPorts = [
        80
        443
        8001
      ];
    };
}
