#!/bin/sh
# Make a virtual environment of exactly what a lock lists, and of shipit from this checkout.
#
#   sh scripts/install.sh PYTHON VENV LOCK [--editable]
#
# Nothing is resolved and nothing but shipit is built, so no new release of anything changes what is installed.
# VENV/.ready is written last: a VENV without it is unfinished and is made anew.
set -eu
python=$1 venv=$2 lock=$3 editable=${4:-}
checkout=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

# A person's own pip settings count (index, proxy, certificates), except those that change what is installed or where.
unset PYTHONPATH PIP_TARGET PIP_PREFIX
export PIP_CONSTRAINT=/dev/null PIP_REQUIRE_HASHES=0 PIP_USER=0

pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }
fail() {
  echo "shipit: $1" >&2
  exit 1
}

"$python" -m venv --clear "$venv"
pip install --quiet --no-deps --require-hashes --only-binary :all: -r "$lock" ||
  fail "pip could not install $lock (see above). Check the network and the package index (pip config list), then try again."
# The build backend is in the lock too: an isolated build would fetch the newest one.
pip install --quiet --no-deps --no-build-isolation --check-build-dependencies ${editable:+--editable} "$checkout" ||
  fail "pip could not install shipit from $checkout (see above)."
broken=$(pip check) ||
  fail "$lock does not fit pyproject.toml; run 'make lock' in a checkout and try again:
$broken"
touch "$venv/.ready"
