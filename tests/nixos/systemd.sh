#!/usr/bin/env bash
# The scenario under a real systemd with the unit that the NixOS module makes (tests/nix/module/FORM.units,
# which tests/nix/module.sh compares with the module), all hardening on: boots a container of this machine's
# own system, thrown away afterwards. Then what the kernel says of the process: no capability, a filter on
# calls, a network and a user of its own.
#
#   tests/nixos/systemd.sh [preview|gpu]     left out: preview
#
# gpu: TRELLIS is the stand-in of tests/fake_trellis; with an NVIDIA GPU and torch here, on that GPU, else
# with a stand-in for torch too. TRELLIS_BIN: which program; left out, it is built. TRELLIS_SYSTEM: another
# system's folder to boot, as debootstrap makes it, for the systemd in it.
#
# Exit codes: 0 all is well, 1 something is not, 77 a container cannot be booted here, after `skipped: why`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

form=${1:-preview}
system=${TRELLIS_SYSTEM:-/}

skip() {
  echo "skipped: $*"
  exit 77
}
((EUID == 0)) || skip "only root can boot a container"
command -v systemd-nspawn >/dev/null || skip "systemd-nspawn is not here (package systemd-container)"
[[ -x $system/usr/lib/systemd/systemd ]] || skip "$system has no /usr/lib/systemd/systemd to boot"

if [[ -z ${TRELLIS_BIN:-} ]]; then
  cargo build --quiet --package trellis-cli
  TRELLIS_BIN=${CARGO_TARGET_DIR:-target}/debug/trellis
fi

work=$(mktemp -d)
root=$work/root
# shellcheck disable=SC2317 # called by the trap
clean() {
  ! mountpoint -q "$root" || umount "$root"
  ! mountpoint -q "$work/over" || umount "$work/over"
  rm -rf --one-file-system "$work"
}
trap clean EXIT
mkdir "$root" "$work/over"
mount -t tmpfs scenario "$work/over"
mkdir "$work/over/upper" "$work/over/work"
mount -t overlay scenario -o "lowerdir=$system,upperdir=$work/over/upper,workdir=$work/over/work" "$root" ||
  skip "no overlay can be mounted here"

# stand_in: a worker and a model for the GPU form; what a wrapper sets, as that of the package does.
stand_in() {
  local python=tests/fake_trellis/python numbers=4 node fake=/stand-in/tests/fake_trellis
  # Nothing in place of the worker, no small picture first, and nothing that needs real tensors.
  sed -i 's/^backend = .*/backend = "trellis"/; s/^\[trellis\]$/&\nwarm_up = false/; s/^default_quality = .*/default_quality = "exact"/' "$root/nix/store/trellis.toml"
  if nvidia-smi -L >/dev/null 2>&1; then
    python=python numbers=$((64 << 20))
    for node in /dev/nvidia*; do [[ ! -c $node ]] || options+=("--bind=$node"); done
    # Where the driver's libraries are, if that is a mount of its own.
    ! mountpoint -q /usr/local/nvidia || options+=(--bind-ro=/usr/local/nvidia)
  else
    sed -i 's/^gpus = .*/gpus = "unchecked:1"/' "$root/nix/store/trellis.toml"
  fi
  mkdir -p "$root/stand-in/tests" "$root/srv/models"
  cp -r tests/fake_trellis "$root/stand-in/tests"
  # As tests/fake_trellis/python, with the real torch.
  cat >"$root/stand-in/python" <<LAUNCHER
#!/bin/bash
export PYTHONPATH="\${PYTHONPATH:-}:$fake:$fake/without_libs"
exec python3 "\$@"
LAUNCHER
  chmod +x "$root/stand-in/python"
  python3 tests/fake_trellis/model.py "$root/srv/models/TRELLIS-image-large" "$numbers"
  cat >"$root/nix/store/trellis-server/bin/trellis" <<WRAPPER
#!/bin/bash
export PATH='$PATH' LD_LIBRARY_PATH='${LD_LIBRARY_PATH:-}' TORCH_HOME=/srv/models/TRELLIS-image-large/torch
export TRELLIS_WORKER_PYTHON=/stand-in/$python
exec /nix/store/trellis-server/bin/program "\$@"
WRAPPER
  chmod +x "$root/nix/store/trellis-server/bin/trellis"
}

# What the unit names, and nothing that this machine has of it.
units=$root/etc/systemd/system
mkdir -p "$root/nix/store"
awk -v units="$units/" -v store="$root/nix/store/" '
  /^== / { file = ($2 == "trellis.toml" ? store : units) $2; next }
  file { print > file }' "tests/nix/module/$form.units"
options=()
case $form in
  preview)
    backend=relief
    install -D "$TRELLIS_BIN" "$root/nix/store/trellis/bin/trellis"
    ;;
  gpu)
    backend=trellis
    install -D "$TRELLIS_BIN" "$root/nix/store/trellis-server/bin/program"
    stand_in
    ;;
esac
install -D /bin/kill "$root/nix/store/coreutils/bin/kill"
rm -rf "$root/var/lib/trellis-server" "$root/var/lib/private/trellis-server"
key=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
(umask 077 && printf 'scenario %s\n' "$key" >"$root/etc/trellis-api-keys")

install -D tests/nixos/scenario.py tests/nixos/confined.sh -t "$root/scenario"
cat >"$units/scenario.service" <<UNIT
[Unit]
Wants=trellis-server.socket trellis-server.service
After=trellis-server.socket
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
StandardOutput=append:/scenario/output
StandardError=inherit
TimeoutStartSec=120
ExecStart=python3 /scenario/scenario.py --url http://127.0.0.1:8000 --key $key --backend $backend --pid 'systemctl show --property MainPID --value trellis-server.service' --kill 'systemctl kill --signal=KILL trellis-server.service'
ExecStart=sh /scenario/confined.sh $form
ExecStart=systemctl reload trellis-server.service
ExecStart=systemctl stop trellis-server.socket trellis-server.service
ExecStart=sh -c '! systemctl is-failed --quiet trellis-server.service'
ExecStart=touch /scenario/passed
ExecStopPost=sh -c 'journalctl --unit trellis-server.service --no-pager >/scenario/journal'
UNIT
printf '[Unit]\nRequires=basic.target scenario.service\n' >"$units/scenario.target"
# This machine's Python may be anywhere.
python=/usr/bin/python3
[[ $system != / ]] || python=$(python3 -c 'import sys; print(sys.executable)')
sed -i "s|^ExecStart=python3|ExecStart=$python|" "$units/scenario.service"

# systemd 256 and later want to be told that they may boot on the first version of cgroups, if that is here.
# Whether it went well, the container says in a file: its exit code is systemd-nspawn's own matter.
timeout 180 systemd-nspawn --quiet --directory="$root" --register=no --keep-unit --private-network \
  "${options[@]}" --console=pipe --boot -- systemd.unit=scenario.target \
  SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1 >"$work/over/console" 2>&1 || true
[[ -e $root/scenario/output ]] || skip "systemd does not boot in a container: $(tail -n 1 "$work/over/console")"
cat "$root/scenario/output"
[[ -e $root/scenario/passed ]] || {
  cat "$work/over/console" "$root/scenario/journal" 2>/dev/null || true
  echo "FAILED the scenario in the container"
  exit 1
}
# Which torch and which GPU it was.
grep -o 'worker_hello.*' "$root/scenario/journal" | head -n 1 || true
