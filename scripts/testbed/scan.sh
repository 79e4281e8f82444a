#!/bin/bash
# scan.sh NAME FIXTURE [WINDOW]: runs a fixture image (see scripts/images) in
# the cluster NAME, waits until node-agent has its profile and its SBOM, has
# kubevuln scan it as the operator does, and saves what Kubescape made of it
# to .cache/testbed/clusters/NAME/FIXTURE. WINDOW is how long it is watched:
# 20s unless given. Prints how long the steps took, in seconds.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$(readlink -f "$0")")/common.sh"
[ $# -ge 2 ] || fail 'usage: scan.sh NAME FIXTURE [WINDOW]'
name=$1 fixture=$2 window=${3:-20s} namespace=vexxy-sandbox
out=$cache/clusters/$name/$fixture
export KUBECONFIG=$cache/clusters/$name/kubeconfig
kubectl() { "$cache/bin/kubectl" "$@"; }
begun=$EPOCHREALTIME
since() { awk -v from="$begun" -v to="$EPOCHREALTIME" 'BEGIN {printf "%.1f", to - from}'; }

# wait_for WHAT SECONDS COMMAND...: until the command succeeds.
wait_for() {
    local what=$1 end=$((SECONDS + $2)); shift 2
    until "$@"; do
        [ $SECONDS -lt $end ] || { kubectl -n kubescape logs ds/node-agent --tail=20 >&2 || true; fail "$what is not there"; }
        sleep 0.2
    done
}
get() { kubectl get --raw "$api/namespaces/$1" 2> /dev/null; }

# profile_done: the slug and the workload's ID of the merged profile, when it is completed.
profile_done() {
    get "$namespace/containerprofiles" | jq -er --arg w "$fixture" '.items[].metadata
        | select(.labels["kubescape.io/workload-name"] == $w and .annotations["kubescape.io/report-series-id"] == null
            and .annotations["kubescape.io/status"] == "completed")
        | [.name, .annotations["kubescape.io/wlid"]] | @tsv' > "$out/profile"
}
sbom_ready() {
    get kubescape/sbomsyfts | jq -er --arg i "vexxy.test/$fixture:fixture" '.items[].metadata
        | select(.annotations["kubescape.io/image-tag"] == $i and .annotations["kubescape.io/status"] == "ready") | .name' > "$out/sbom"
}
vex_there() { get "kubescape/openvulnerabilityexchangecontainers/$1" > "$out/vex.json"; }

mkdir -p "$out"
archive=$(cd "$root" && FIXTURES_CACHE=$(dirname "$cache") go run ./scripts/images build -archive "$fixture")
begun=$EPOCHREALTIME
"$here/cluster.sh" load "$name" "$archive" > /dev/null
kubectl get namespace "$namespace" > /dev/null 2>&1 || kubectl create namespace "$namespace" > /dev/null
echo "loaded=$(since)"
kubectl apply -f - > /dev/null << YAML
apiVersion: apps/v1
kind: Deployment
metadata: {name: $fixture, namespace: $namespace}
spec:
  replicas: 1
  selector: {matchLabels: {app: $fixture}}
  template:
    metadata: {labels: {app: $fixture, kubescape.io/max-sniffing-time: $window}}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 0
      containers: [{name: $fixture, image: "vexxy.test/$fixture:fixture", imagePullPolicy: Never}]
YAML
kubectl -n "$namespace" rollout status "deploy/$fixture" --timeout=120s > /dev/null
echo "running=$(since)"
wait_for 'the SBOM' 120 sbom_ready
echo "sbom=$(since)"
wait_for 'the completed profile' 180 profile_done
echo "profile=$(since)"
IFS=$'\t' read -r slug wlid < "$out/profile"
jq -n --arg n "$slug" --arg ns "$namespace" --arg w "$wlid" '{wlid: $w, args: {name: $n, namespace: $ns}}' > "$out/request.json"
kubectl create --raw /api/v1/namespaces/kubescape/services/http:kubevuln:8080/proxy/v1/scanApplicationProfile -f "$out/request.json" > /dev/null
echo "asked=$(since)"
wait_for 'the VEX object' 60 vex_there "$slug"
echo "vex=$(since)"
get "$namespace/containerprofiles/$slug" > "$out/containerprofile.json"
get "kubescape/sbomsyfts/$(cat "$out/sbom")" > "$out/sbomsyft.json"
get "kubescape/vulnerabilitymanifests/$(cat "$out/sbom")" > "$out/vulnerabilitymanifest-full.json"
get "kubescape/vulnerabilitymanifests/$slug" > "$out/vulnerabilitymanifest-filtered.json"
get "kubescape/sbomsyftfiltereds/$slug" > "$out/sbomsyftfiltered.json" || say 'no filtered SBOM is stored'
jq -r '.spec.statements[] | [.status, .vulnerability["@id"], .products[0].subcomponents[0]["@id"]] | @tsv' "$out/vex.json"
