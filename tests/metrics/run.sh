#!/usr/bin/env bash
# `/metrics` of the real program, with a job done, held against Prometheus's own rules (`promtool check metrics`); and the
# queries of docs/grafana-dashboard.json and the configuration in docs/operations.md against its parsers (`promtool check
# rules` and `check config`).
#
#   tests/metrics/run.sh [PATH OF THE BINARY trellis]       without one it is built
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

promtool=$(command -v promtool || echo target/tools/promtool)
if [[ ! -x $promtool ]]; then
  echo "skipped: promtool is not installed (tests/setup brings it)"
  exit 77
fi
binary=${1:-}
if [[ -z $binary ]]; then
  cargo build --quiet --package trellis-cli
  binary=${CARGO_TARGET_DIR:-target}/debug/trellis
fi

place=$(mktemp -d)
server=
cleanup() {
  [[ -z $server ]] || kill "$server" 2>/dev/null || true
  rm -rf "$place"
}
trap cleanup EXIT

"$binary" serve --port 0 --metrics-listen 127.0.0.1:0 --backend relief --data-dir "$place/data" \
  >"$place/banner" 2>"$place/log" &
server=$!
for _ in $(seq 300); do
  grep -q '^  metrics ' "$place/banner" && break
  kill -0 "$server" 2>/dev/null || { cat "$place/log" && exit 1; }
  sleep 0.1
done
address=$(sed -n 's/.* serves on //p' "$place/banner")
metrics=$(sed -n 's/^  metrics *//p' "$place/banner")

# Done, failed, refused, and done before.
submit() { curl -sS --fail-with-body -D - -o "$place/answer" -F "image=@$1" -F 'params={"seed": 7}' "$address/v1/jobs"; }
for picture in samples/duck.png samples/duck.png; do
  job=$(submit "$picture" | tr -d '\r' | sed -n 's/^location: *//Ip')
  curl -sSN --fail-with-body -o "$place/events" "$address$job/events"
  grep -q '"state":"succeeded"' "$place/events"
done
curl -sS -o "$place/answer" "$address/v1/jobs/nonsense"

curl -sS --fail-with-body -o "$place/metrics" "$metrics"
for line in 'trellis_jobs_accepted_total 2' 'trellis_cache_hits_total 1' 'trellis_jobs{state="succeeded"} 2' \
  'trellis_stage_duration_seconds_count{'; do
  grep -qF "$line" "$place/metrics" || { echo "$line is missing:" && cat "$place/metrics" && exit 1; }
done
"$promtool" check metrics <"$place/metrics"
echo "promtool: $(grep -c '^# HELP' "$place/metrics") metrics of a server without GPUs are as they should be"

# Those of workers and GPUs as well, which are not here: a sample of each row of the table.
python3 - docs/operations.md >"$place/all" <<'PYTHON'
import re
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    rows = re.findall(r"^\| `(\w+)` \| (counter|gauge|histogram) \| (.*) \| (.*) \|$", file.read(), re.MULTILINE)
assert len(rows) > 30, rows
for name, kind, labels, about in rows:
    pairs = [f'{label}="x"' for label in re.findall(r"`(\w+)`", labels)]

    def sample(end, value, more=(), name=name, pairs=pairs):
        inside = ",".join([*pairs, *more])
        print(f"{name}{end}{{{inside}}} {value}")

    print(f"# HELP {name} {about}\n# TYPE {name} {kind}")
    if kind == "histogram":
        sample("_bucket", 1, ['le="+Inf"'])
        sample("_sum", 1)
        sample("_count", 1)
    else:
        sample("", 1)
PYTHON
"$promtool" check metrics <"$place/all"
echo "promtool: $(grep -c '^# HELP' "$place/all") metrics of docs/operations.md are as they should be"

# Each query as a rule of its own; what Grafana puts in is put in.
python3 - docs/grafana-dashboard.json >"$place/rules.yml" <<'PYTHON'
import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    panels = json.load(file)["panels"]
queries = [target["expr"] for panel in panels for target in panel.get("targets", [])]
rules = [
    {"record": f"query:{number}", "expr": query.replace("$__rate_interval", "5m").replace("$instance", ".+")}
    for number, query in enumerate(queries)
]
print(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
PYTHON
"$promtool" check rules "$place/rules.yml"

# The key's file is not here.
awk -v place="$place" '/^...yaml$/ { inside = place "/prometheus-" ++n ".yml"; next } /^...$/ { inside = "" } inside { print >inside }' docs/operations.md
grep -q credentials_file "$place/prometheus-1.yml"
for config in "$place"/prometheus-*.yml; do
  "$promtool" check config --syntax-only "$config"
done
