# shellcheck shell=bash
# Sourced by the scripts that install what nix/pins.json pins; the repository's root is the current folder.

source tests/needs.sh

pins=nix/pins.json

# The pinned Python: under its own name, or among pyenv's.
pinned_python() {
  local wanted candidate
  wanted=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["python"]["version"])' "$pins")
  for candidate in "python$wanted" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$wanted".*/bin/python3; do
    if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
      printf '%s\n' "$candidate"
      return
    fi
  done
}

# requirements FILE FOLDER [missing]: the pins as pip reads them; with `missing`, without those in FOLDER.
requirements() {
  python3 - "$pins" "$2" "${3:-}" >"$1" <<'PYTHON'
import json, pathlib, sys

pins, folder, only_missing = sys.argv[1:]
for name, wheel in json.load(open(pins))["wheels"].items():
    if not (only_missing and pathlib.Path(folder, wheel["filename"]).exists()):
        print(f"{name}=={wheel['version']} --hash=sha256:{wheel['sha256']}")
PYTHON
}
