#!/bin/sh
# Where the service runs, as root: what the kernel says of its process. `confined.sh gpu` for that form.
set -eu
pid=$(systemctl show --property MainPID --value trellis-server.service)

is() { # WHAT WANTED FOUND
  [ "$2" = "$3" ] || {
    echo "FAILED $1: $3 instead of $2"
    exit 1
  }
  echo "ok $1: $3"
}
of() { awk -v key="$1:" '$1 == key { print $2 }' "/proc/$pid/status"; }
elsewhere() { [ "$(readlink "/proc/$pid/ns/$1")" = "$(readlink "/proc/1/ns/$1")" ] && echo shared || echo own; }

is "new privileges are off" 1 "$(of NoNewPrivs)"
is "capabilities" 0000000000000000 "$(of CapEff)"
is "capabilities that could be had" 0000000000000000 "$(of CapBnd)"
is "calls are filtered" 2 "$(of Seccomp)"
for space in net mnt ipc user; do is "namespace $space" own "$(elsewhere "$space")"; done
is "the account is a dynamic one" yes "$(awk '$1 == "Uid:" { print ($2 >= 61184 && $2 <= 65519) ? "yes" : $2 }' "/proc/$pid/status")"
# Pseudo-terminals apart, which every private /dev has.
inside() { nsenter --target "$pid" --mount sh -c "$1"; }
[ "${1:-preview}" = gpu ] || is "devices" "full null random tty urandom zero" "$(inside 'cd /dev && find . -type c -o -type b' |
  sed 's|^./||; /^pt/d' | sort | xargs)"
is "writing to the system" refused "$(inside 'touch /etc/x 2>/dev/null' && echo allowed || echo refused)"
