#!/bin/sh
# A deploy by hand or by cron, and what to do by the way it ended.
#
#   sh deploy.sh v42 production
set -u
tag=${1:?which tag?} environment=${2:?which environment?}

"${SHIPIT:-shipit}" deploy --tag "$tag" --env "$environment" --yes --output plain --report "deploy-$tag.json"
code=$?
case $code in
  0) echo "$tag is live" ;;
  3) echo "refused: nothing was changed" >&2 ;;
  4 | 5) echo "the migration did not succeed: the app is untouched" >&2 ;;
  6 | 9) echo "the migration is done, the app is not as it should be" >&2 ;;
  7) echo "somebody else is at work; try again later" >&2 ;;
  8) echo "the outcome is not known: deploy-$tag.json says what to look at" >&2 ;;
esac
exit "$code"
