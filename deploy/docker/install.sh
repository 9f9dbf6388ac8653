#!/bin/sh
# Makes an environment with a wheel in it: install.sh <directory of the wheel> <extras> <environment>
#
# Of everything that the extras ask for, uv takes the version of requirements.lock, insists on one of its hashes, and
# fails for what the lock does not name. pip cannot do that: it wants its hashes where the requirement stands, and would
# install all of the lock, the tools of the tests among it.
set -eu

[ $# -eq 3 ] || { echo "usage: install.sh <directory of the wheel> <extras> <environment>" >&2; exit 2; }
lock=$(dirname "$0")/../../requirements.lock
wheel=$(ls "$1"/waybill-*.whl)
hash=$(sha256sum "$wheel" | cut -d ' ' -f 1)

uv venv --quiet "$3"
echo "${wheel}[$2] --hash=sha256:$hash" |
  uv pip install --quiet --require-hashes --constraints "$lock" --compile-bytecode --python "$3" --requirements -
uv pip check --quiet --python "$3"
