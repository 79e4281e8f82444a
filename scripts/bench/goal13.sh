#!/bin/bash
# goal13.sh [embedded|kubescape]: goal 13, what runs leave that end before their
# time. Every second run is killed and cleaned up after, the others are
# cancelled as Ctrl-C does; each at another moment, spread evenly over the
# length of a whole run. Before and after, the engine's containers, networks
# and volumes are counted: nothing else may use it meanwhile.
#
# ENDS is how many runs end so, 100 of each kind unless given. With Kubescape a
# pair takes about two minutes.
source "$(dirname "$0")/lib.sh"

engine=${1:-embedded}
ends=${ENDS:-100}
fixture=nginx

if [ -z "${REGISTRY_ADDRESS:-}" ]; then
    if [ "$engine" = kubescape ]; then need_bed; else scripts/setup/docker.sh; make -s build db; fi
    "$(helper images)" build $fixture > /dev/null
    # This script again, with a registry around it.
    exec "$(helper registry)" -push $fixture="$cache/images/$fixture" -- scripts/bench/goal13.sh "$engine" "{$fixture}"
fi

image=$2
work=$(mktemp -d)
export VEXXY_STATE_DIR=$work/state
trap 'bin/vexxy cleanup > /dev/null 2>&1 || true; rm -rf "$work"' EXIT
flags=(run --engine "$engine" --vulnerability-db "$cache/vulnerability-db/installed" --max-db-age 0
    --duration 3s --output-dir "$work/out")
if [ "$engine" = kubescape ]; then
    flags+=(--node-image "$(bed_node)" --chart testdata/chart/kubescape-operator --image-archives "$cache/testbed/apps")
fi

# here: what the engine and the machine have that a run could have made.
here() {
    docker ps -aq; docker network ls -q; docker volume ls -q
    find "$VEXXY_STATE_DIR" -mindepth 2 2> /dev/null || true
    pgrep -f 'vexxy sensor' || true
}

# end SIGNAL DELAY: starts a run, sends it SIGNAL after DELAY seconds, and gives
# how long it took from there until it and, after a kill, its cleanup was over.
end() {
    local pid start
    # The shell has what runs in its background ignore Ctrl-C.
    env --default-signal=INT bin/vexxy "${flags[@]}" "$image" > "$work/log" 2>&1 & pid=$!
    sleep "$2"
    start=$(now)
    kill -s "$1" "$pid" 2> /dev/null || true
    wait "$pid" 2> /dev/null || true
    if [ "$1" = KILL ] || grep -q 'vexxy cleanup' "$work/log"; then
        bin/vexxy cleanup > "$work/cleanup" 2>&1 || cat "$work/cleanup" >&2
    fi
    elapsed "$start"
}

limit=$([ "$engine" = embedded ] && echo 5 || echo 10) # of a cancelled run
start=$(now)
bin/vexxy "${flags[@]}" "$image" > "$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
length=$(elapsed "$start")
before=$(here)
cancels='' kills='' left=0
for ((i = 0; i < ends; i++)); do
    for signal in INT KILL; do
        took=$(end $signal "$(calc "$length * ($i + 0.5) / $ends")")
        if [ $signal = INT ]; then cancels+=" $took"; else kills+=" $took"; fi
        if [ $signal = INT ] && [ "$(calc "$took > $limit")" = 1.000 ]; then
            echo "after $signal at $i of $ends it took $took s:" >&2
            tail -n 30 "$work/log" >&2
        fi
        # A killed run's sensor ends by itself, and takes a moment.
        if [ "$(here)" != "$before" ] && sleep 2 && [ "$(here)" != "$before" ]; then
            left=$((left + 1))
            echo "after $signal at $i of $ends there is left:" >&2
            diff <(echo "$before") <(here) >&2 || true
            before=$(here) # told once
        fi
    done
done

# longest NUMBER...
longest() { printf '%s\n' "$@" | sort -g | tail -n 1; }

echo "goal 13: $ends runs of $length s cancelled and $ends killed, engine $engine"
# The lists are split on purpose.
# shellcheck disable=SC2086
{
    echo "  a cancelled run is over after      $(median $cancels) s, the slowest after $(longest $cancels) s"
    echo "  a killed one is cleaned up after   $(median $kills) s, the slowest after $(longest $kills) s"
    outcome "the slowest cancel, s" "$(longest $cancels)" "$limit"
    outcome "the slowest cleanup, s" "$(longest $kills)" 60
}
outcome "runs that left something" "$left" 0
