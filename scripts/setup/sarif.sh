#!/bin/bash
# sarif.sh DIR: puts Microsoft's SARIF Multitool, which validates SARIF files,
# below DIR unless it is there, and prints the path of its program. It comes
# from npm, whole: nothing else is downloaded when it runs.
set -euo pipefail
version=5.7.0
dir=$1/sarif-multitool-$version
tool=$dir/node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool
if [ ! -x "$tool" ]; then
    mkdir -p "$1"
    new=$(mktemp -d "$1/sarif-multitool.XXXXXX")
    trap 'rm -rf "$new"' EXIT
    npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$new" "@microsoft/sarif-multitool-linux@$version" >&2
    chmod u+x "$new/node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool"
    rm -rf "$dir"
    mv -T "$new" "$dir" 2> /dev/null || [ -x "$tool" ] # another one was quicker
fi
echo "$tool"
