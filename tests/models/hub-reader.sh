#!/usr/bin/env bash
# What we fetch into the hub cache must load with Python's huggingface_hub, offline.
# HUB_READER_PYTHON names an interpreter that has it; else it is installed into a virtual environment.
set -euo pipefail
# shellcheck source=tests/models/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

python=${HUB_READER_PYTHON:-}
if [[ -z $python ]]; then
  command -v python3 >/dev/null || skip "python3 is not installed"
  python3 -m venv "$work/venv" 2>/dev/null || skip "python3 has no venv module"
  python=$work/venv/bin/python
  "$python" -m pip install --quiet --disable-pip-version-check huggingface_hub safetensors numpy \
    >"$work/pip" 2>&1 || skip "huggingface_hub cannot be installed: $(tail -n 1 "$work/pip")"
fi
build dev
start_hub "$@"

env -i HOME="$work/home" NO_PROXY='*' "$trellis" model fetch org/model \
  --endpoint "$endpoint" --extras=false
kill "$hub_pid"
hub_pid=

env -i HOME="$work/home" HF_HUB_OFFLINE=1 "$python" - "$work/sums" <<'PYTHON'
"""Loads every file by the calls that TRELLIS makes, without a network."""
import hashlib
import sys
from pathlib import Path

import huggingface_hub
from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download
from safetensors import safe_open

sums = [line.split("  ", 1) for line in Path(sys.argv[1]).read_text().splitlines()]
for digest, path in sums:
    local = hf_hub_download("org/model", path)
    assert hashlib.sha256(Path(local).read_bytes()).hexdigest() == digest, path
    if path.endswith(".safetensors"):
        with safe_open(local, framework="numpy") as file:
            assert len(list(file.keys())) > 0, path
folder = snapshot_download("org/model")
assert {str(p.relative_to(folder)) for p in Path(folder).rglob("*") if p.is_file()} == {p for _, p in sums}
report = scan_cache_dir()
assert not report.warnings, report.warnings
(repo,) = report.repos
(revision,) = repo.revisions
assert revision.refs == {"main"}, revision.refs
print(f"ok: {len(sums)} files read by huggingface_hub {huggingface_hub.__version__}, offline")
PYTHON
