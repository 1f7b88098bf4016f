# shellcheck shell=bash
# Shared by the scripts in this folder. Source it, do not run it.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${CRUCIBLE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/crucible}
# shellcheck disable=SC2034 # for the scripts that source this
jobs=${CRUCIBLE_JOBS:-$(nproc)}
mkdir -p "$cache"

say() { printf '%s\n' "$*" >&2; }
die() {
  say "error: $*"
  exit 1
}

# hash_of FILE…: one short hash over names and contents; more text to include comes on stdin.
hash_of() {
  { cat && sha256sum -- "$@"; } | sha256sum | cut -c1-16
}

# with_lock FILE COMMAND…: one process at a time, since checkouts share a cache and people a checkout.
with_lock() {
  local file=$1
  shift
  mkdir -p "$(dirname "$file")"
  (
    flock 9
    "$@" 9>&-
  ) 9>"$file"
}

# npm_install DIR: what its package-lock.json says, when that changed since the last time.
npm_install() {
  local stamp=$1/node_modules/.installed-from now
  now=$(cd "$1" && hash_of package-lock.json </dev/null)
  if [ ! -e "$stamp" ] || [ "$(cat "$stamp")" != "$now" ]; then
    say "npm: installing the packages of ${1#"$root/"}"
    (cd "$1" && npm ci --prefer-offline --no-audit --no-fund --loglevel=error) >&2
    echo "$now" >"$stamp"
  fi
}

# Node from the cache, where deploy/setup had to put one there.
if [ -d "$cache/node/bin" ]; then
  PATH=$cache/node/bin:$PATH
fi

# test_venv: where deploy/setup --tests puts the Python packages of the black-box tests.
test_venv() {
  echo "$cache/venv-$(/usr/bin/python3 --version | (cd "$root" && hash_of tests/requirements.txt))"
}
