#!/usr/bin/env bash
# The program in a store path of its own, in a mount namespace: what it records of itself, and what
# `trellis verify` says when a byte of that path changes, when the database is missing or damaged, and when
# another build looks. Checks a signature with OpenSSL too, which knows nothing of ours.
# Usage: run.sh [PATH OF THE BINARY trellis]; without one it is built. Exits with 77 where it cannot run.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

for tool in unshare python3 jq openssl; do
  command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
if [[ ${INSIDE:-} != yes ]]; then
  binary=${1:-}
  if [[ -z $binary ]]; then
    cargo build --quiet --manifest-path "$root/Cargo.toml" --package trellis-cli
    target=$(cargo metadata --manifest-path "$root/Cargo.toml" --format-version 1 --no-deps | jq -r .target_directory)
    binary=$target/debug/trellis
  fi
  [[ ! -e /nix ]] || { echo "skipped: this machine has a store of its own"; exit 77; }
  unshare --mount true 2>/dev/null || { echo "skipped: mount namespaces need root"; exit 77; }
  place=$(mktemp -d)
  cp "$binary" "$place/trellis"
  mkdir /nix
  trap 'rmdir /nix; rm -rf "$place"' EXIT
  INSIDE=yes PLACE=$place unshare --mount bash "${BASH_SOURCE[0]}"
  exit
fi

place=${PLACE:?}
export PYTHONDONTWRITEBYTECODE=1
mount -t tmpfs none /nix
path=/nix/store/0c6kzph7l0dcbfmjap64f0czdafn3b7x-trellis-0.1.0
mkdir -p "$path/bin"
cp "$place/trellis" "$path/bin/trellis"
cd "$place"
python3 -c 'import sys; sys.path.insert(0, sys.argv[1]); import png; png.write("photo.png")' "$here"
trellis() { env -i HOME="$place" "$path/bin/trellis" "$@" 2>err; }
record() { python3 -c 'import sys; sys.path.insert(0, sys.argv[1]); import png; print(png.record(sys.argv[2]))' "$here" "$1"; }
check() { [[ $2 == *"$3"* ]] || { echo "$1: \`$3\` is not in: $2" >&2; cat err >&2; exit 1; }; echo "ok: $1"; }

trellis generate photo.png -o without.glb --seed 7 >/dev/null
check "without a database the path alone is recorded" "$(record without.glb | jq -c .server)" \
  "{\"version\":\"0.1.0\",\"pin\":\"nix\",\"store_path\":\"$path\"}"

hash=$(trellis closure show --json | jq -r .nar_hash)
mkdir -p /nix/var/nix/db
python3 - "$path" "$hash" <<'PYTHON'
import base64, sqlite3, sys

path, sri = sys.argv[1:]
digest = base64.b64decode(sri.removeprefix("sha256-")).hex()
database = sqlite3.connect("/nix/var/nix/db/db.sqlite")
database.executescript(
    "CREATE TABLE ValidPaths (id integer PRIMARY KEY AUTOINCREMENT NOT NULL, path text UNIQUE NOT NULL,"
    " hash text NOT NULL, registrationTime integer NOT NULL, deriver text, narSize integer, ultimate integer,"
    " sigs text, ca text);"
    "CREATE TABLE Refs (referrer integer NOT NULL, reference integer NOT NULL, PRIMARY KEY (referrer, reference));"
)
database.execute(
    "INSERT INTO ValidPaths (path, hash, registrationTime, narSize) VALUES (?, ?, 1, 1)", (path, "sha256:" + digest)
)
database.commit()
PYTHON
check "a statement is not written unasked" "$(ls ./*.intoto* 2>/dev/null || echo none)" none
trellis generate photo.png -o chair.glb --seed 7 --statement >/dev/null
check "the database's hash is recorded" "$(record chair.glb | jq -r .server.nar_hash)" "$hash"
verify=(verify chair.glb --statement chair.intoto.json --input photo.png --reproduce)
check "everything agrees" "$(trellis "${verify[@]}")" "5 the same, 0 different"

echo more >"$path/more"
check "a changed store path is named" "$(trellis verify chair.glb || true)" "✗ program     $path has the NAR hash"
rm "$path/more"
check "another build says so" "$(env -i HOME="$place" "$place/trellis" verify chair.glb 2>err || true)" \
  "but this machine runs one with"
echo junk >/nix/var/nix/db/db.sqlite
check "a damaged database keeps nothing from working" "$(trellis "${verify[@]}")" "5 the same, 0 different"
trellis generate photo.png -o damaged.glb --seed 7 >/dev/null
check "its hash is left out" "$(record damaged.glb | jq -c '.server | has("nar_hash")')" false

# The key of RFC 8032, section 7.1, test 1.
key=nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg==
echo "studio-1:$key" >secret
trellis generate photo.png -o signed.glb --sign-key secret >/dev/null
envelope=signed.intoto.dsse.json
type=$(jq -r .payloadType $envelope)
jq -r .payload $envelope | base64 -d >payload
{ printf 'DSSEv1 %d %s %d ' ${#type} "$type" "$(wc -c <payload)"; cat payload; } >message
jq -r '.signatures[0].sig' $envelope | base64 -d >signature
{ printf '\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00'; base64 -d <<<"$key" | tail -c 32; } >key.der
check "OpenSSL verifies the signature" \
  "$(openssl pkeyutl -verify -pubin -keyform DER -inkey key.der -rawin -in message -sigfile signature)" "Success"
check "the statement is about the file" "$(jq -r '.subject[].digest.sha256' payload)" \
  "$(sha256sum signed.glb | cut -d' ' -f1)"
