#!/bin/bash
# check.sh VERSION DIR: says whether the checked out commit may be released as
# VERSION with the programs in DIR: it has that tag, differs from a commit of
# main by the pins alone, and pins these very bytes.
set -euo pipefail
version=$1 dist=$(realpath "$2") pins=scripts/action/pins.json
cd "$(dirname "$0")/../.."

die() { echo "check.sh: $*" >&2; exit 1; }
[[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+$ ]] || die "$version is no version"
git tag --points-at HEAD | grep -qxF "$version" || die "HEAD has no tag $version"
[ "$(git rev-list --parents --max-count 1 HEAD | wc -w)" = 2 ] || die "HEAD is a merge, or has no parent"
git merge-base --is-ancestor HEAD~1 origin/main || die "what HEAD is made on is not on main"
[ "$(git diff --name-only HEAD~1 HEAD)" = "$pins" ] || die "HEAD changes more than the pins: $(git diff --name-only HEAD~1 HEAD | tr '\n' ' ')"
node scripts/action/pin.js "$version" "$dist"
git diff --exit-code -- "$pins" || die "the pins are of another program than what was built here (above, - is pinned)"
echo "check.sh: $version is main's $(git rev-parse HEAD~1) with the pins of what was built"
