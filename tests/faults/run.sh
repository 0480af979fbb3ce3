#!/usr/bin/env bash
# Does to the real server what must not lose a job: kills at random moments under load, a full and a
# read-only disk, a damaged database page, SIGTERM. TRELLIS_FAULT_ROUNDS: how many kills (100).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

cargo test --quiet --package trellis-cli --test faults -- --nocapture --test-threads=1
