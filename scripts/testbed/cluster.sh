#!/bin/bash
# cluster.sh up NAME          a one-node cluster of the bed's node image, by kind's default configuration
# cluster.sh load NAME FILE…  docker archives into the node
# cluster.sh install NAME [HELM OPTION…]
#                             Kubescape, by the chart of testdata/chart; its images are loaded first
# cluster.sh down NAME        the cluster and its files are gone
#
# The cluster's kubeconfig is .cache/testbed/clusters/NAME/kubeconfig. Each
# verb prints how long its steps took, in seconds.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$(readlink -f "$0")")/common.sh"
[ $# -ge 2 ] || fail 'usage: cluster.sh up|load|install|down NAME ...'
verb=$1 name=$2; shift 2
[[ $name =~ ^bed-[a-z0-9-]+$ ]] || fail "a cluster's name begins with bed-: $name"
dir=$cache/clusters/$name
export KUBECONFIG=$dir/kubeconfig
kind() { "$cache/bin/kind" "$@"; }
kubectl() { "$cache/bin/kubectl" "$@"; }
begun=$EPOCHREALTIME
since() { awk -v from="$begun" -v to="$EPOCHREALTIME" 'BEGIN {printf "%.1f", to - from}'; }

up() {
    local created ready
    mkdir -p "$dir"
    kind create cluster --name "$name" --image "$node_image" --wait 0 > "$dir/kind.log" 2>&1 || { tail -30 "$dir/kind.log" >&2; fail "creating $name"; }
    created=$(since)
    kubectl wait --for=condition=Ready node --all --timeout=180s > /dev/null
    ready=$(since)
    kubectl -n kube-system rollout status ds/kube-proxy --timeout=180s > /dev/null
    kubectl -n kube-system rollout status deploy/coredns --timeout=180s > /dev/null
    echo "created=$created node=$ready dns=$(since)"
}

# in_node COMMAND...: containerd's client for images. It warns of the machine's
# control groups at every call.
in_node() { docker exec -i "$name-control-plane" ctr -n k8s.io images "$@" 2> >(grep -v 'support for cgroup v1' >&2); }

# An image also gets its digest beside its tag, as after a pull. By `kind load`
# the digest would be one of import-DATE, and that name would be in the pod's
# status, in SBOMs and in the products of VEX documents.
load_one() {
    local ref digest
    in_node import - < "$1" > /dev/null
    ref=$(tar -xOf "$1" manifest.json | jq -r '.[0].RepoTags[0]')
    digest=$(in_node ls "name==$ref" < /dev/null | awk 'NR == 2 {print $3}')
    in_node tag --force "$ref" "${ref%:*}@$digest" < /dev/null > /dev/null
    echo "loaded=$(since) $ref@$digest"
}

load() {
    local archive pid pids=()
    for archive in "$@"; do
        load_one "$archive" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid"; done
}

install() {
    load "$cache"/apps/*.tar
    "$cache/bin/helm" install kubescape "$root/testdata/chart/kubescape-operator" \
        --namespace kubescape --create-namespace -f "$root/testdata/chart/1.40.3/ci-values.yaml" \
        --set grypeOfflineDB.enabled=true "$@" > /dev/null
    echo "installed=$(since)"
    kubectl wait --for=condition=Available apiservice/v1beta1.spdx.softwarecomposition.kubescape.io --timeout=120s > /dev/null
    echo "api=$(since)"
    for what in deploy/storage ds/node-agent deploy/kubevuln deploy/operator; do
        kubectl -n kubescape rollout status "$what" --timeout=180s > /dev/null
        echo "$what=$(since)"
    done
}

down() {
    kind delete cluster --name "$name" 2> /dev/null
    rm -rf "$dir"
}

case $verb in
    up | load | install | down) "$verb" "$@" ;;
    *) fail "unknown verb $verb" ;;
esac
