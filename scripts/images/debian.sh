#!/bin/bash
# Makes the Debian part of the fixture images: layers that dpkg itself has
# installed, with the package database, file lists, links and byte code that
# an installation leaves.
#
#   debian.sh base STATE OUT.tar
#       the essential packages of Debian 12, as one layer
#   debian.sh layer STATE OUT.tar COMMAND PACKAGE...
#       PACKAGEs and what they depend on, on top of the base; then COMMAND
#       (may be empty) by /bin/sh inside the tree. Only what differs from the
#       base is in the layer.
#
# STATE keeps the base tree and apt's lists between calls. Needs root,
# mmdebstrap and overlayfs. Packages come from where this machine's apt takes
# them, if it is a Debian 12, else from Debian's own mirror.
set -euo pipefail

suite=bookworm
# What dpkg leaves out, as in the slim variants of Debian's images.
excludes=(/usr/share/doc/'*' /usr/share/man/'*' /usr/share/locale/'*' /usr/share/info/'*' /usr/share/lintian/'*')
# Files that an installation made, as opposed to unpacked, get this time.
built_at=@1686355200

fail() { echo "debian.sh: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || fail "needs root"

# clean TREE: what differs from run to run or names this machine.
clean() {
    rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/* "$1"/var/log/* \
        "$1"/var/cache/ldconfig/aux-cache "$1"/var/cache/debconf/*-old "$1"/var/lib/dpkg/*-old \
        "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/* "$1"/etc/apt/apt.conf.d/99mmdebstrap \
        "$1"/etc/hostname "$1"/etc/resolv.conf "$1"/etc/machine-id "$1"/etc/*- \
        "$1"/usr/sbin/policy-rc.d "$1"/var/lib/dpkg/lock "$1"/var/lib/dpkg/lock-frontend "$1"/var/lib/dpkg/triggers/Lock
}

# pack TREE SINCE OUT: TREE as a layer. Overlayfs marks what was removed by
# character devices 0:0 and attributes; a layer does so by names.
pack() {
    local tree=$1 since=$2 out=$3
    find "$tree" -type c -links -2 | while IFS= read -r f; do
        [ "$(stat -c %t:%T "$f")" = 0:0 ] || continue
        rm "$f"
        : > "$(dirname "$f")/.wh.$(basename "$f")"
    done
    find "$tree" -newermt "$since" -exec touch -h -d "$built_at" {} +
    tar -C "$tree" --sort=name --numeric-owner --format=gnu --exclude='./dev/*' -cf "$out.part" .
    mv "$out.part" "$out"
}

make_base() {
    local state=$1 out=$2 sources=() opts=() e
    rm -rf "$state/base" "$state/apt"
    mkdir -p "$state/apt/state/lists/partial" "$state/apt/cache/archives/partial" "$state/apt/none/partial"
    # shellcheck source=/dev/null
    if [ "$(. /etc/os-release && echo "$ID-${VERSION_CODENAME:-}")" = "debian-$suite" ]; then
        for e in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
            if [ -s "$e" ] && grep -qE '^(deb |URIs:)' "$e"; then sources+=("$e"); fi
        done
    fi
    for e in "${excludes[@]}"; do opts+=(--dpkgopt="path-exclude=$e"); done
    opts+=(--dpkgopt='path-include=/usr/share/doc/*/copyright')
    apt-config dump | grep -E '^Acquire::' > "$state/apt/acquire.conf" || true
    since=$(date '+%F %T')
    mmdebstrap --quiet --variant=essential --format=directory --aptopt="$state/apt/acquire.conf" \
        "${opts[@]}" "$suite" "$state/base" "${sources[@]}"
    # Later layers take their packages from where the base came from.
    cp -r "$state/base/etc/apt" "$state/apt/etc"
    clean "$state/base"
    pack "$state/base" "$since" "$out"
}

apt_get() {
    local state=$1; shift
    apt-get -qq -o Dir::State="$state/apt/state" -o Dir::State::status="$state/base/var/lib/dpkg/status" \
        -o Dir::Cache="$state/apt/cache" -o Dir::Cache::archives="$state/apt/cache/archives" \
        -o Dir::Etc::sourcelist="$state/apt/etc/sources.list" -o Dir::Etc::sourceparts="$state/apt/etc/sources.list.d" \
        -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts="$state/apt/none" \
        -o APT::Install-Recommends=false -o APT::Sandbox::User=root -o Acquire::Retries=3 "$@"
}

make_layer() {
    local state=$1 out=$2 command=$3 tree since debs f
    shift 3
    [ -d "$state/base/var/lib/dpkg" ] || fail "no base tree in $state: run 'debian.sh base' first"
    if [ -z "$(find "$state/apt/updated" -mmin -60 2>/dev/null)" ]; then
        apt_get "$state" update
        touch "$state/apt/updated"
    fi
    # apt names only what its archive lacks, so it is asked with an empty one.
    mapfile -t debs < <(apt_get "$state" -o Dir::Cache::archives="$state/apt/none" --print-uris -y install "$@" | awk '{print $2}')
    [ ${#debs[@]} -gt 0 ] || [ $# = 0 ] || fail "apt finds nothing to install for: $*"
    apt_get "$state" -y --download-only -o APT::Keep-Downloaded-Packages=true install "$@" >&2
    work=$(mktemp -d "$state/work.XXXXXX")
    # The mounts are private to this process: they go when it ends.
    trap 'umount -R "$work/tree" 2>/dev/null || true; rm -rf "$work"' EXIT
    tree=$work/tree
    mkdir -p "$work/upper" "$work/over" "$tree"
    mount -t overlay overlay -o "lowerdir=$state/base,upperdir=$work/upper,workdir=$work/over" "$tree"
    mount -t proc proc "$tree/proc"
    mount --bind /dev "$tree/dev"
    since=$(date '+%F %T')
    printf '#!/bin/sh\nexit 101\n' > "$tree/usr/sbin/policy-rc.d"   # no service starts here
    chmod 755 "$tree/usr/sbin/policy-rc.d"
    if [ ${#debs[@]} -gt 0 ]; then
        for f in "${debs[@]}"; do [ -s "$state/apt/cache/archives/$f" ] || fail "apt did not bring $f"; done
        (cd "$state/apt/cache/archives" && install_debs "$tree" "${debs[@]}") >&2
    fi
    if [ -n "$command" ]; then chroot "$tree" /bin/sh -ec "$command" >&2; fi
    umount "$tree/proc" "$tree/dev"
    clean "$tree"
    umount "$tree"
    pack "$work/upper" "$since" "$out"
}

# install_debs TREE DEB...: unpack all, then configure all, quietly unless it fails.
install_debs() {
    local tree=$1 log=$work/dpkg.log; shift
    export DEBIAN_FRONTEND=noninteractive LC_ALL=C
    # Unpacking in any order wants force-depends (Pre-Depends); configuring does not.
    if ! { dpkg --root="$tree" --force-unsafe-io --force-depends --unpack "$@" &&
        dpkg --root="$tree" --force-unsafe-io --configure -a; } > "$log" 2>&1; then
        tail -20 "$log" >&2
        fail "installing packages"
    fi
}

[ $# -ge 3 ] || fail "usage: debian.sh base STATE OUT | debian.sh layer STATE OUT COMMAND PACKAGE..."
verb=$1; shift
state=$(realpath -m "$1"); out=$(realpath -m "$2"); shift 2
mkdir -p "$state" "$(dirname "$out")"
# Own mount name space, so that a killed build leaves no mounts.
if [ -z "${DEBIAN_SH_UNSHARED:-}" ]; then
    export DEBIAN_SH_UNSHARED=1
    exec unshare --mount --propagation private "$0" "$verb" "$state" "$out" "$@"
fi
case $verb in
    base) make_base "$state" "$out" ;;
    layer) [ $# -ge 1 ] || fail "layer wants a COMMAND"; make_layer "$state" "$out" "$@" ;;
    *) fail "unknown verb $verb" ;;
esac
