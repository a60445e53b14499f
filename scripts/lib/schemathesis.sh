# shellcheck shell=bash
# schemathesis puts requests to the API that it makes up from the contract. It comes from PyPI by pip, into the cache beside Kafka and Spark.

schemathesis_version=4.32.5

# find_schemathesis puts it into PATH. Where it cannot be had, its test is skipped.
find_schemathesis() {
  local home=${RUNTIME_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cartwheel}/schemathesis-$schemathesis_version
  command -v schemathesis >/dev/null && return
  if [ ! -d "$home" ] && ! fetch_schemathesis "$home" "$home.part.$$"; then
    rm -rf "$home.part.$$"
    echo "schemathesis $schemathesis_version could not be had (see above), so its test is skipped. It needs Python 3.10 or newer with pip." >&2
    return
  fi
  PATH=$home/command:$PATH
}

fetch_schemathesis() {
  local home=$1 part=$2
  echo "fetching schemathesis $schemathesis_version with pip (70 MB) into $home" >&2
  python3 -m pip install --quiet --disable-pip-version-check --no-cache-dir --root-user-action=ignore --target "$part" \
    "schemathesis==$schemathesis_version" >&2 || return 1
  mkdir "$part/command" || return 1
  printf '#!/bin/sh\nPYTHONPATH=%q exec python3 -m schemathesis.cli "$@"\n' "$home" >"$part/command/schemathesis"
  chmod +x "$part/command/schemathesis"
  PYTHONPATH=$part python3 -m schemathesis.cli --version >/dev/null || return 1
  [ -d "$home" ] || mv "$part" "$home" # another run may have been sooner
  rm -rf "$part"
}
