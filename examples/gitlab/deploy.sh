#!/bin/sh
# shipit in a section that folds; exits with shipit's code, and hands a cancel on to it.
#
#   SHIPIT_TAG=v42 SHIPIT_ENV=production sh deploy.sh
set -eu
section() { printf '\033[0Ksection_%s:%s:%s\r\033[0K%s\n' "$1" "$(date +%s)" "$2" "${3:-}"; }

section start shipit "shipit deploy ${SHIPIT_TAG:?}"
"${SHIPIT:-shipit}" deploy --output plain --yes --report shipit.html &
shipit=$!
trap 'kill -TERM "$shipit" 2>/dev/null' INT TERM
code=0
wait "$shipit" || code=$?
# A wait that a signal ended is not the end of shipit, which still says what it leaves behind.
while kill -0 "$shipit" 2>/dev/null; do
  code=0
  wait "$shipit" || code=$?
done
section end shipit
exit "$code"
