#!/usr/bin/env bash
# Finds what this machine lacks for the project and, as root on Debian or Ubuntu, installs it.
# Otherwise says what to install. Does nothing, and says nothing, where all is there.
# Needed: a Python 3.11 or newer that can make a venv, and the OpenMP runtime that LightGBM loads.
# Wanted: a C compiler with Python's headers, for the age kernel; without them it is computed in numpy.
# Commands named as arguments are needed too, in packages of the same name: prerequisites.sh openssl
set -euo pipefail

python="${PYTHON:-python3}"
missing=()

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
if [ "$(id -u)" -eq 0 ]; then
  command -v "${CC:-cc}" >/dev/null || missing+=(gcc libc6-dev)
  # Debian's Python has its headers in a package; another one brings them, or has none.
  "$python" -c 'import sys, sysconfig; from pathlib import Path
include = Path(sysconfig.get_path("include"))
sys.exit(include.is_relative_to("/usr/include") and not (include / "Python.h").exists())' \
    2>/dev/null || missing+=(python3-dev)
fi
for command in "$@"; do
  command -v "$command" >/dev/null || missing+=("$command")
done

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
