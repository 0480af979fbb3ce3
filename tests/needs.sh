# What scripts here need. What is missing is said in a line `skipped: why`, with exit code 77. Sourced.
# shellcheck shell=bash

skip() {
  echo "skipped: $*"
  exit 77
}

# need PROGRAM…
need() {
  local program
  for program; do
    command -v "$program" >/dev/null || skip "$program is not here"
  done
}

need_postgresql() {
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null ||
    skip "PostgreSQL's initdb is not here; tests/setup installs it"
}

# make_folder NAME: sets `folder` to a new one on a disk, removed when the script ends.
make_folder() {
  folder=$(mktemp -d "/var/tmp/trellis-$1.XXXXXX")
  # PostgreSQL's user passes through.
  chmod 711 "$folder"
  trap 'rm -rf "$folder"' EXIT
}
