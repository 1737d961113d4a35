#!/usr/bin/env bash
# Finds what this machine lacks for the project and, as root on Debian or Ubuntu, installs it.
# Otherwise says what to install. Does nothing, and says nothing, where all is there.
# Needed: a Python 3.11 or newer that can make a venv, and the OpenMP runtime that LightGBM loads.
# Wanted: a C compiler with Python's headers, for the age kernel; without them it is computed in numpy.
# Commands named as arguments are needed too, in packages of the same name: prerequisites.sh openssl
set -euo pipefail

python="${PYTHON:-python3}"
missing=()
wanted=()

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  if command -v "$python" >/dev/null; then
    echo "pairguard needs Python 3.11 or newer; '$python' is $("$python" --version 2>&1)." >&2
    echo "Name another one: make PYTHON=/path/to/python3.11 ..." >&2
    exit 1
  fi
  missing+=(python3)
fi
# Debian splits both off: a venv without ensurepip has no pip.
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
"$python" -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' 2>/dev/null || missing+=(libgomp1)
for command in "$@"; do
  command -v "$command" >/dev/null || missing+=("$command")
done

compiler="${CC:-cc}"
command -v "${compiler%% *}" >/dev/null || wanted+=(gcc libc6-dev)
# Debian's Python has its headers in a package of its own; another Python brings them, or has none.
found="$(command -v "$python" || true)"
if [ -z "$found" ] || [ "$(readlink -f "$found")" = "$(readlink -f /usr/bin/python3)" ]; then
  compgen -G '/usr/include/python3.*/Python.h' >/dev/null || wanted+=(python3-dev)
fi

if [ "${#wanted[@]}" -gt 0 ] && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  echo "installing a compiler for the age kernel: ${wanted[*]}"
  { apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      "${wanted[@]}" >/dev/null; } || echo "that failed; ages will be computed in numpy, more slowly"
fi

if [ "${#missing[@]}" -eq 0 ]; then
  exit 0
fi
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  echo "installing what is missing: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  exit 0
fi
echo "missing on this machine: ${missing[*]} (Debian's package names)." >&2
echo "Install with: sudo apt-get install ${missing[*]}" >&2
exit 1
