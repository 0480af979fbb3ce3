#!/usr/bin/env bash
# Drives the page of a real server with a real Chromium: `tests/browser/run.sh [FILE...]`.
# CHROMIUM names the browser, SHOTS a folder for pictures of all states. Exits with 77 where something is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export CHROMIUM=${CHROMIUM:-/usr/bin/chromium}
[[ -x $CHROMIUM ]] || { echo "skipped: $CHROMIUM is not there (apt-get install chromium)"; exit 77; }
command -v npm >/dev/null || { echo "skipped: npm is not installed"; exit 77; }
[[ -d tests/browser/node_modules/playwright-core ]] || { echo "skipped: run \`npm ci --prefix tests/browser\` first"; exit 77; }
make --silent page
[[ -e web/dist/index.html ]] || { echo "skipped: the page was not built; see above"; exit 77; }

cargo build --quiet --package trellis-cli
(($#)) || set -- tests/browser/*.test.mjs
exec node --test --test-concurrency=1 --test-reporter=spec "$@"
