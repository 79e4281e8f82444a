#!/bin/bash
# goal2.sh: goal 2, what a run with a cluster of its own takes beside the
# observation, against the waits of kubescape/generate-vex-action v0.0.2 (its
# setup.sh, install.sh, test.sh and generate.sh, read in 2026) replayed on the
# same test bed: kind's creation with its wait of 60 s, helm --wait, 5 s, pods
# ready, workload ready, the test, 60 s, then a look every 10 s until there is
# a VEX document.
#
# Both sides watch nginx for WINDOW seconds, create a cluster of the bed's node
# image, load the same archives, and delete the cluster; both need the bed
# (make testbed). A side's time is all but the window.
source "$(dirname "$0")/lib.sh"

window=${WINDOW:-30}
fixture=nginx

if [ -z "${REGISTRY_ADDRESS:-}" ]; then
    need_bed
    "$(helper images)" build $fixture > /dev/null
    # This script again, with a registry around it.
    exec "$(helper registry)" -push $fixture="$cache/images/$fixture" -- scripts/bench/goal2.sh "{$fixture}"
fi

image=$1
bed=$cache/testbed
work=$(mktemp -d)
name=bed-goal2-$$
trap 'scripts/testbed/cluster.sh down $name > /dev/null 2>&1 || true; rm -rf "$work"' EXIT
archive=$("$cache/bin/images" build -archive $fixture)

ours() {
    local start
    start=$(now)
    in_cluster "$work/log" --duration "${window}s" --http-probe / --output-dir "$work/out" "$image"
    calc "$(elapsed "$start") - $(jq .evidence.window.seconds "$work/out/result.json")"
}

theirs() {
    local start k="$bed/bin/kubectl"
    start=$(now)
    export KUBECONFIG=$bed/clusters/$name/kubeconfig
    mkdir -p "$(dirname "$KUBECONFIG")"
    "$bed/bin/kind" create cluster --name "$name" --image "$(bed_node)" --wait 60s > "$work/log" 2>&1
    scripts/testbed/cluster.sh load "$name" "$bed"/apps/*.tar "$archive" > /dev/null
    # With its own values kubevuln wants the network. Those for CI spare it the
    # rest of the chart, too.
    "$bed/bin/helm" upgrade --install kubescape testdata/chart/kubescape-operator -n kubescape --create-namespace --wait \
        -f testdata/chart/1.40.3/ci-values.yaml --set includeNamespaces= --set grypeOfflineDB.enabled=true \
        --set nodeAgent.config.maxLearningPeriod=24h --set nodeAgent.config.learningPeriod=1m --set nodeAgent.config.updatePeriod=1m > /dev/null
    sleep 5
    $k -n kubescape wait --for=condition=ready pod -l app.kubernetes.io/component=node-agent --timeout=300s > /dev/null
    $k -n kubescape wait --for=condition=ready pod -l app.kubernetes.io/component=storage --timeout=300s > /dev/null
    $k create namespace sandbox > /dev/null
    $k -n sandbox create deployment web --image=vexxy.test/$fixture:fixture > /dev/null
    $k -n sandbox rollout status deploy/web --timeout=120s > /dev/null
    sleep "$window" # the test
    sleep 60
    until [ -n "$($k -n kubescape get openvulnerabilityexchangecontainers.spdx.softwarecomposition.kubescape.io -o name)" ]; do
        [ "$(calc "$(elapsed "$start") > 600")" = 0.000 ] || { echo "there was never a VEX document" >&2; return 1; }
        sleep 10
    done
    $k -n kubescape get openvulnerabilityexchangecontainers.spdx.softwarecomposition.kubescape.io -o json > "$work/vex.json"
    scripts/testbed/cluster.sh down "$name" > /dev/null
    calc "$(elapsed "$start") - $window"
}

a='' b=''
for ((i = 0; i < RUNS; i++)); do
    a+=" $(ours)"
    b+=" $(theirs)"
done
report "goal 2: time beside the observation, with a cluster of its own" "vexxy run --engine kubescape" "$a" "generate-vex-action's waits" "$b" s "at most 0.35"
# shellcheck disable=SC2086
outcome ratio "$(calc "$(median $a) / $(median $b)")" 0.35
# written EXPRESSION: seconds from a moment in the result to the document's last byte.
written() {
    jq --argjson written "$(stat -c %.9Y "$work/out/vex.openvex.json")" \
        "def at: (.[:19] + \"Z\" | fromdate) + (\"0\" + .[19:-1] | tonumber); \$written - ($1 | at)" "$work/out/result.json"
}
outcome "profile to OpenVEX document (goal 3), s" "$(written '.timings[] | select(.step == "wait for node-agent'"'"'s profile") | .end')" 5
echo "  last evidence to OpenVEX document, s: $(written .evidence.window.end), of which up to 5 for node-agent's own beat"
