#!/bin/bash
# goal1.sh: goal 1, what `vexxy run` takes beside the observation itself,
# against a bare docker run, Syft and Grype one after the other. Both sides
# are warm: image pulled, database at hand, programs in the page cache.
#
# The window is 20 s, shorter than in real runs: reading the packages goes on
# beside it, and a long window would hide it. The other side's run ends as soon
# as its port answers, so it contains what ours contains beside the window:
# start, inventory, matching, removal.
source "$(dirname "$0")/lib.sh"

if [ -z "${REGISTRY_ADDRESS:-}" ]; then
    scripts/setup/packages.sh demo
    scripts/setup/docker.sh
    make -s build db
    (cd scripts/bench/tools && go build -o "$cache/bin/" tool)
    "$(helper images)" build big150 > /dev/null
    # This script again, with a registry around it.
    exec "$(helper registry)" -push big150="$cache/images/big150" -- scripts/bench/goal1.sh '{big150}'
fi

image=$1
db=$cache/vulnerability-db/installed
work=$(mktemp -d)
container=bench-goal1-$$
trap 'docker rm -f "$container" > /dev/null 2>&1 || true; docker rmi -f "$image" > /dev/null 2>&1 || true; rm -rf "$work"' EXIT
export SYFT_CHECK_FOR_APP_UPDATE=false GRYPE_CHECK_FOR_APP_UPDATE=false
export GRYPE_DB_AUTO_UPDATE=false GRYPE_DB_VALIDATE_AGE=false GRYPE_DB_CACHE_DIR=$db

# ours: seconds of a run beside its observation.
ours() {
    local start
    start=$(now)
    bin/vexxy run --vulnerability-db "$db" --max-db-age 0 --duration 20s --http-probe / \
        --output-dir "$work/out" "$image" > "$work/log" 2>&1 || { cat "$work/log" >&2; return 1; }
    calc "$(elapsed "$start") - $(jq .evidence.window.seconds "$work/out/result.json")"
}

# theirs: seconds of the three programs.
theirs() {
    local start port end
    start=$(now)
    docker run -d --name "$container" -p 127.0.0.1::8080 "$image" > /dev/null
    port=$(docker port "$container" 8080 | head -n 1)
    end=$((SECONDS + 30))
    until curl -fs -o /dev/null "http://$port/"; do
        [ $SECONDS -lt $end ] || { echo "the container never answered" >&2; return 1; }
        sleep 0.05
    done
    docker rm -f "$container" > /dev/null
    "$cache/bin/syft" -q "$image" --from docker -o syft-json="$work/sbom.json"
    "$cache/bin/grype" -q "sbom:$work/sbom.json" -o json > "$work/matches.json"
    elapsed "$start"
}

docker pull -q "$image" > /dev/null
ours > /dev/null    # warm up
theirs > /dev/null
a='' b=''
for ((i = 0; i < RUNS; i++)); do
    a+=" $(ours)"
    b+=" $(theirs)"
done
packages=$(jq .packages.total "$work/out/result.json")
report "goal 1: time beside the observation, $packages packages" "vexxy run" "$a" "docker run + syft + grype" "$b" s "at most 5 s and 1.0"
# shellcheck disable=SC2086
outcome "vexxy run, s" "$(median $a)" 5
# shellcheck disable=SC2086
outcome ratio "$(calc "$(median $a) / $(median $b)")" 1
