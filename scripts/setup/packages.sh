#!/bin/bash
# packages.sh SET...: installs those packages of Debian (or Ubuntu) that the
# sets need and that are missing. Runs as root, or as a user with sudo.
#
#   docker   the Docker daemon            images   the fixtures made of packages
#   demo     what 'make demo' needs       test     what 'make test' needs
#   bench    what 'make bench' needs
set -euo pipefail

say() { echo "packages.sh: $*" >&2; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

# WHAT=PACKAGE: a command, or a file if it begins with /, and what brings it.
# shellcheck disable=SC2034 # the sets are chosen by name below
{
docker=(dockerd=docker.io runc=runc jq=jq iptables=iptables /etc/ssl/certs/ca-certificates.crt=ca-certificates)
images=(mmdebstrap=mmdebstrap unshare=util-linux /usr/share/keyrings/debian-archive-keyring.gpg=debian-archive-keyring)
demo=("${images[@]}" curl=curl)
test=("${demo[@]}" gcc=gcc /usr/include/stdio.h=libc6-dev /usr/include/asm/errno.h=gcc-multilib musl-gcc=musl-tools
    rpm=rpm rpmbuild=rpm npm=npm node=nodejs openssl=openssl clang=clang llvm-strip=llvm /usr/include/bpf/bpf_helpers.h=libbpf-dev
    shellcheck=shellcheck strace=strace pgrep=procps cmark-gfm=cmark-gfm rsync=rsync yamllint=yamllint)
bench=("${test[@]}" xz=xz-utils)
}

there() {
    case $1 in
        /*) [ -e "$1" ] ;;
        *) PATH=$PATH:/usr/sbin:/sbin command -v "$1" > /dev/null ;;
    esac
}

missing=()
for set in "$@"; do
    case $set in
        docker|images|demo|test|bench) declare -n wanted=$set ;;
        *) say "unknown set $set"; exit 2 ;;
    esac
    for item in "${wanted[@]}"; do
        if ! there "${item%%=*}"; then missing+=("${item#*=}"); fi
    done
done
[ ${#missing[@]} -gt 0 ] || exit 0
command -v apt-get > /dev/null || { say "this is no Debian; please install: ${missing[*]}"; exit 1; }
mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
say "installing ${missing[*]}"
as_root apt-get -qq -o Acquire::Retries=3 update
as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Acquire::Retries=3 --no-install-recommends install "${missing[@]}" > /dev/null
