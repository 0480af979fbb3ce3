#!/usr/bin/env bash
# `trellis closure` beside Nix itself, on a real store:
#
#   list    names the paths that `nix-store --query --requisites` names, and says of each what `nix path-info` says
#   verify  finds nothing wrong; with one byte changed in a copy it names that path, and no other
#   signed  by a key of Nix's, in a binary cache that Nix made; not by another key of the same name
#   scan    a copy without a database has the same closure
#   diff    of the closure and that of one of its paths: the totals are Nix's
#
#   tests/nix/closure.sh [STORE_PATH]
#
# Without a path: that of packages.server's recipe, evaluated by the harness of run.sh, else by Nix. NIX is what
# Nix's programs are called with (`NIX='chroot /srv/nix'`), NIX_ROOT the folder that they see as `/`; the harness has
# both. TRELLIS is the program.
# Exit codes: 0 all is well, 1 something is not, 77 there is no Nix here, with a line `skipped: why`.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

harness=${TRELLIS_NIX_HARNESS:-../shared/nix-harness}
[[ -x $harness/eval-flake && -n ${MIRROR:-} ]] || harness=
if [[ -n $harness && -z ${NIX:-} ]]; then
  # shellcheck disable=SC2016 # the other shell expands it
  NIX_ROOT=$(bash -c '. "$1/common.sh" && echo "$NIX_CHROOT"' - "$harness")
  NIX="chroot $NIX_ROOT"
fi
root=${NIX_ROOT:-/}
read -ra prefix <<<"${NIX:-}"
nix() { "${prefix[@]}" "$@"; }
experimental() { nix nix --extra-experimental-features nix-command "$@"; }
nix nix-store --version >/dev/null 2>&1 || {
  echo "skipped: no Nix is here (NIX='${NIX:-}')"
  exit 77
}

start=${1:-}
if [[ -z $start && -n $harness ]]; then
  start=$("$harness/eval-flake" "$PWD" | sed -n 's/^ok packages\.server //p')
elif [[ -z $start ]]; then
  start=$(nix nix --extra-experimental-features 'nix-command flakes' eval --raw "$PWD#server.drvPath")
fi
[[ -n $start ]] || { echo "packages.server has no recipe: see tests/nix/run.sh"; exit 1; }

trellis=${TRELLIS:-}
if [[ -z $trellis ]]; then
  cargo build --release --quiet --package trellis-cli
  trellis=${CARGO_TARGET_DIR:-target}/release/trellis
fi
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT

closure() { "$trellis" closure "$@"; }
failed() { printf 'FAILED %s\n' "$*"; exit 1; }

# list
nix nix-store --query --requisites "$start" | sort >"$work/nix"
closure list "$start" --store "$root" 2>/dev/null >"$work/ours"
[[ $(wc -l <"$work/nix") -ge 2 ]] || failed "the closure of $start is too small to show anything"
diff "$work/nix" "$work/ours" || failed "list is not what nix-store says"
echo "ok list: $(wc -l <"$work/ours") paths, as nix-store --query --requisites"

experimental path-info --json --recursive "$start" >"$work/nix.json"
closure list "$start" --store "$root" --json >"$work/ours.json"
python3 - "$work/nix.json" "$work/ours.json" <<'PYTHON'
import json, sys

nix, ours = (json.load(open(path)) for path in sys.argv[1:])
if isinstance(nix, list):  # before Nix 2.19
    nix = {entry["path"]: entry for entry in nix}
assert len(ours["paths"]) == len(nix)
for path in ours["paths"]:
    said = nix[path["path"]]
    for mine, theirs in [("nar_hash", "narHash"), ("nar_size", "narSize"), ("registered", "registrationTime"),
                         ("deriver", "deriver"), ("ca", "ca")]:
        assert path[mine] == said.get(theirs), (path["path"], mine, path[mine], said.get(theirs))
    assert sorted(path["references"]) == sorted(said["references"]), path["path"]
    assert sorted(path["signatures"]) == sorted(said.get("signatures") or []), path["path"]
assert ours["nar_size"] == sum(entry["narSize"] for entry in nix.values())
print(f"ok list --json: hash, size, references and the rest of {len(nix)} paths, as nix path-info")
PYTHON

# verify
seconds() { # COMMAND...: runs it silently and prints how long it took
  local before=${EPOCHREALTIME/./}
  "$@" >/dev/null
  printf '%d.%03d' $(((${EPOCHREALTIME/./} - before) / 1000000)) $(((${EPOCHREALTIME/./} - before) / 1000 % 1000))
}
verify_by_nix() { xargs "${prefix[@]}" nix-store --verify-path <"$work/nix"; }
verify_by_nix 2>/dev/null || failed "Nix finds something wrong in the store itself"
closure verify "$start" --store "$root" >"$work/verified" || { cat "$work/verified"; failed "verify"; }
head -n 1 "$work/verified" | sed 's/^✓/ok verify:/'
echo "   trellis $(seconds closure verify "$start" --store "$root") s, nix-store --verify-path $(seconds verify_by_nix) s"

# A copy of the closure, with a copy of the database.
mkdir -p "$work/copy/nix/store" "$work/copy/nix/var/nix/db"
sed "s|^/|$root/|" "$work/nix" | xargs -d '\n' cp -a --target-directory="$work/copy/nix/store"
chmod -R u+w "$work/copy/nix/store"
python3 - "$root/nix/var/nix/db/db.sqlite" "$work/copy/nix/var/nix/db/db.sqlite" <<'PYTHON'
import sqlite3, sys

source = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
with sqlite3.connect(sys.argv[2]) as copy:
    source.backup(copy)
PYTHON
closure verify "$start" --store "$work/copy" >/dev/null || failed "the copy does not verify"

# One byte in the middle of the largest file of the closure, then in the smallest.
for order in -rn -n; do
  victim=$(find "$work/copy/nix/store" -type f -size +0 -printf '%s %p\n' | sort "$order" | sed -n '1s/^[0-9]* //p')
  offset=$(($(stat -c %s "$victim") / 2))
  byte=$(od -An -tu1 -j "$offset" -N 1 "$victim")
  write() { printf '%b' "\\x$(printf %02x "$1")" | dd of="$victim" bs=1 seek="$offset" conv=notrunc status=none; }
  write $((byte ^ 1))
  status=0
  closure verify "$start" --store "$work/copy" >"$work/tampered" || status=$?
  path=/nix/store/$(cut -d/ -f1 <<<"${victim#"$work/copy/nix/store/"}")
  [[ $status == 1 && $(grep '^✗' "$work/tampered") == "✗ $path" ]] || {
    cat "$work/tampered"
    failed "one byte of $victim was changed: exit code $status"
  }
  echo "ok tampered: one byte of ${victim#"$work/copy"} changed, and that path alone is named"
  write "$byte"
done
closure verify "$start" --store "$work/copy" >/dev/null || failed "the byte is back, the copy does not verify"

# signed
shared=$(mktemp -d "$root/tmp/closure.XXXXXX")
trap 'chmod -R u+w "$work"; rm -rf "$work" "$shared"' EXIT
inside=/${shared#"$root"}
experimental key generate-secret --key-name test-1 >"$shared/secret"
key=$(experimental key convert-secret-to-public <"$shared/secret")
impostor=$(experimental key generate-secret --key-name test-1 | experimental key convert-secret-to-public)
experimental copy --no-check-sigs --to "file://$inside/cache?compression=none&secret-key=$inside/secret" "$start" 2>/dev/null
signed=(verify "$start" --store "$work/copy" --binary-cache "$shared/cache" --trusted-key)
closure "${signed[@]}" "$key" >/dev/null || failed "what Nix signed does not verify"
closure "${signed[@]}" "$impostor" >"$work/impostor" && failed "another key's signatures verify"
[[ $(grep -c "that this key did not make" "$work/impostor") == $(wc -l <"$work/nix") ]] ||
  failed "not every signature of another key was found"
echo "ok signed: $(wc -l <"$work/nix") paths by nix copy with a secret key; not with another key of that name"

# scan
rm -r "$work/copy/nix/var"
closure list "$start" --store "$work/copy" 2>/dev/null >"$work/scanned"
diff "$work/nix" "$work/scanned" || failed "the scan finds another closure than the database has"
echo "ok scan: the same $(wc -l <"$work/scanned") paths without a database"

# diff
part=$(sed -n "\|^$start\$|d;1p" "$work/nix")
closure diff "$start" "$part" --store "$root" --json >"$work/diff.json"
experimental path-info --json --recursive "$part" >"$work/part.json"
python3 - "$work/nix.json" "$work/part.json" "$work/diff.json" <<'PYTHON'
import json, sys

before, after, diff = (json.load(open(path)) for path in sys.argv[1:])
size = lambda entries: sum(entry["narSize"] for entry in (entries if isinstance(entries, list) else entries.values()))
assert diff["before"] == {"paths": len(before), "bytes": size(before)}, diff["before"]
assert diff["after"] == {"paths": len(after), "bytes": size(after)}, diff["after"]
changed = sum(change["bytes_after"] - change["bytes_before"] for change in diff["changes"])
assert changed == size(after) - size(before)
print(f"ok diff: {len(diff['changes'])} packages differ, and their sizes add up to Nix's totals")
PYTHON
