#!/bin/sh
# Write both locks from pyproject.toml, and check that all of it can be installed without building anything.
#
#   sh scripts/lock.sh [PYTHON [--upgrade | --upgrade-package NAME]...]
#
# Versions stay as they are unless pyproject.toml or an option asks for others.
set -eu
cd "$(dirname -- "$0")/.."
python=${1:-python3}
[ $# -eq 0 ] || shift

tool=$(mktemp -d)
trap 'rm -rf "$tool"' EXIT
"$python" -m venv "$tool"
"$tool/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: uv==0.13.9

uv() { "$tool/bin/uv" pip "$@"; }
compile() {
  UV_CUSTOM_COMPILE_COMMAND="make lock" \
    uv compile --quiet --universal --generate-hashes --no-annotate --only-binary :all: pyproject.toml "$@"
}
compile --group dev --output-file requirements.lock "$@"
compile --group build --constraint requirements.lock --output-file requirements-run.lock

for version in 3.11 3.12 3.13 3.14; do
  for platform in x86_64-manylinux2014 aarch64-manylinux2014 x86_64-apple-darwin aarch64-apple-darwin; do
    uv install --quiet --dry-run --no-deps --require-hashes --only-binary :all: --target "$tool/none" \
      --python-version "$version" --python-platform "$platform" -r requirements.lock ||
      { echo "no wheels for Python $version on $platform (see above)" >&2; exit 1; }
  done
done
