# The preview form in a virtual machine, with systemd doing what the unit says: the scenario, and what the
# kernel says of the process then. tests/nixos runs both without a machine of their own.
{
  inputs,
  testers,
  python3,
}:
let
  key = "only-for-this-test-0123456789abcdef";
  show = "systemctl show --property MainPID --value trellis-server.service";
in
testers.runNixOSTest {
  name = "trellis-server";

  nodes.machine = {
    imports = [ inputs.self.nixosModules.default ];
    services.trellis-server = {
      enable = true;
      backend = "relief";
      apiKeysFile = "/etc/trellis-api-keys";
    };
    # In the store, as no real key may be.
    environment.etc."trellis-api-keys" = {
      text = "scenario ${key}\n";
      mode = "0400";
    };
    environment.systemPackages = [ python3 ];
  };

  testScript = ''
    machine.wait_for_unit("sockets.target")
    machine.wait_for_open_port(8000)
    machine.wait_for_unit("trellis-server.service")
    print(machine.succeed(
        "python3 ${../../tests/nixos/scenario.py} --url http://127.0.0.1:8000 --key ${key}"
        " --pid '${show}' --kill 'systemctl kill --signal=KILL trellis-server.service'"
    ))
    print(machine.succeed("sh ${../../tests/nixos/confined.sh}"))
    # In tenths.
    print(machine.succeed("systemd-analyze security --no-pager --threshold=20 trellis-server.service"))
    machine.succeed("systemctl reload trellis-server.service")
    machine.succeed("systemctl stop trellis-server.service trellis-server.socket")
    assert "success" in machine.succeed("systemctl show --property Result trellis-server.service")
  '';
}
