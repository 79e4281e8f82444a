#!/bin/bash
# prepare.sh VERSION [DIR]: makes the commit that a release tags: main's, with
# the pins of the program that is built from it. DIR holds what dist.sh has
# built; without it that is done here. No branch moves and nothing is pushed.
set -euo pipefail
version=${1:-} dist=${2:-}
cd "$(dirname "$0")/../.."

die() { echo "prepare.sh: $*" >&2; exit 1; }
[[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+$ ]] || die "usage: prepare.sh VERSION, such as v1.2.3"
[ -z "$(git status --porcelain)" ] || die "the checkout has changes: they would be in the program, and not in the commit"
git merge-base --is-ancestor HEAD origin/main || die "this commit is not on main"
[ -z "$(git tag --list "$version")" ] || die "there is a tag $version: no release is made twice"
if [ -z "$dist" ]; then
    dist=$(mktemp -d)
    trap 'rm -rf "$dist"' EXIT
    scripts/release/dist.sh "$version" "$dist"
fi
node scripts/action/pin.js "$version" "$dist"
git switch --quiet --detach
git commit --quiet --message "Release $version" scripts/action/pins.json
echo "Now tag this commit and push the tag; the workflow release does the rest:"
echo "    git tag --sign --message $version $version && git push origin $version"
