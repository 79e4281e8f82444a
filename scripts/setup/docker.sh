#!/bin/bash
# docker.sh        makes Docker work: does nothing where it does, else installs
#                  it from Debian's packages and starts it
# docker.sh stop   stops the Docker daemon that this script started, and no other
#
# Runs as root, or as a user with sudo. A user who may not talk to Docker is
# told so.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
pidfile=/run/vexxy-dockerd.pid
log=/var/log/vexxy-dockerd.log
deadline=60

say() { echo "docker.sh: $*" >&2; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }
answers() { timeout 10 docker info > /dev/null 2>&1; }
answers_root() { as_root timeout 10 docker info > /dev/null 2>&1; }
# Bit 24 of the bounding set is CAP_SYS_RESOURCE.
may_grant_resources() { [ $(( 0x$(awk '/^CapBnd:/ {print $2}' /proc/1/status) >> 24 & 1 )) = 1 ]; }

stop() {
    local pid
    if ! pid=$(as_root cat "$pidfile" 2> /dev/null); then say "no daemon of ours runs"; return 0; fi
    # The number may have gone to another program since.
    if [ "$(cat "/proc/$pid/comm" 2> /dev/null)" = dockerd ]; then
        as_root kill "$pid"
        timeout 30 tail --pid="$pid" -f /dev/null || { say "dockerd ($pid) did not end within 30s"; return 1; }
    fi
    as_root rm -f "$pidfile"
}

start() {
    if [ -d /run/systemd/system ]; then
        say "starting Docker by systemd"
        as_root systemctl start docker
    else
        local options=()
        if ! may_grant_resources; then
            as_root install -m 755 "$here/runc-wrapper" /usr/local/bin/vexxy-runc
            options=(--add-runtime vexxy=/usr/local/bin/vexxy-runc --default-runtime vexxy)
            say "root here lacks CAP_SYS_RESOURCE: containers run through vexxy-runc"
        fi
        say "starting dockerd (its log is $log)"
        # Its own session and no terminal: it outlives this script.
        # shellcheck disable=SC2016
        as_root sh -c 'log=$1; pidfile=$2; shift 2
            setsid dockerd "$@" < /dev/null >> "$log" 2>&1 &
            echo $! > "$pidfile"' sh "$log" "$pidfile" "${options[@]}"
    fi
    local end=$((SECONDS + deadline))
    until answers_root; do
        if [ $SECONDS -ge $end ]; then
            say "dockerd does not answer after ${deadline}s; the end of its log:"
            as_root tail -n 20 "$log" >&2 || true
            exit 1
        fi
        sleep 0.2
    done
}

case ${1:-start} in
    stop) stop; exit ;;
    start) ;;
    *) say "usage: docker.sh [start|stop]"; exit 2 ;;
esac
if command -v docker > /dev/null && answers; then exit 0; fi
if [ ! -x /usr/sbin/dockerd ] && ! command -v dockerd > /dev/null; then "$here/packages.sh" docker; fi
if ! answers_root; then start; fi
answers || { say "Docker runs, but $(id -un) may not use it: join the group docker, or run this as root"; exit 1; }
