#!/usr/bin/env bash
# Lints, types and tests of the worker. The tests need Python 3.11 or newer and nothing else; the two tools
# are installed beside the build where they are not, and left out where they cannot be.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools=(ruff==0.17.6 mypy==2.4.1)
venv="${CARGO_TARGET_DIR:-$PWD/../target}/worker-lint"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "skipped: python3 is older than 3.11"
  exit 77
}
if [[ "$(cat "$venv/tools" 2>/dev/null)" != "${tools[*]}" ]]; then
  rm -rf "$venv"
  if python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check "${tools[@]}"; then
    echo "${tools[*]}" >"$venv/tools"
  else
    echo "note: ruff and mypy cannot be installed here, so the worker is tested but not linted"
  fi
fi
if [[ -f "$venv/tools" ]]; then
  "$venv/bin/ruff" format --quiet --check .
  "$venv/bin/ruff" check --quiet .
  "$venv/bin/mypy" trellis_worker
fi
python3 -m unittest discover -t . -s tests
