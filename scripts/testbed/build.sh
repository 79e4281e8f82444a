#!/bin/bash
# build.sh [PART...]: builds the test bed from Go modules and Debian's packages
# into .cache/testbed (or below FIXTURES_CACHE). PARTs: programs, images, node;
# none is all of them. What is there and made from the same inputs is left.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$(readlink -f "$0")")/common.sh"
bin=$cache/bin
export CGO_ENABLED=0 GOWORK=off
made=0

# digest FILE|DIRECTORY...: one digest of all names and contents.
digest() {
    local p
    for p in "$@"; do
        if [ -d "$p" ]; then
            (cd "$p" && find . -type f ! -name '*.md' -print0 | sort -z | xargs -0 sha256sum)
        else
            sha256sum < "$p"
        fi
    done | sha256sum | cut -d' ' -f1
}

# fresh FILE KEY: FILE was made from the inputs that KEY stands for.
fresh() { [ -e "$1" ] && [ "$(cat "$1.key" 2> /dev/null)" = "$2" ]; }

# built FILE KEY START: notes the key of what has just been made.
built() {
    echo "$2" > "$1.key"
    made=$((made + 1))
    say "${1#"$cache"/} in $((SECONDS - $3))s"
}

# compile NAME DIRECTORY PACKAGE LDFLAGS INPUT...: one static program.
compile() {
    local out=$bin/$1 key start=$SECONDS
    key=$({ echo "$toolchain $2 $3 $4"; digest "${@:5}"; } | sha256sum | cut -d' ' -f1)
    if fresh "$out" "$key"; then return; fi
    (cd "$2" && go build -trimpath -buildvcs=false -ldflags "-s -w $4" -o "$out" "$3") || fail "building $1"
    built "$out" "$key" "$start"
}

# program NAME MODULE PACKAGE [LDFLAGS]: from a module below go/.
program() { compile "$1" "$here/go/$2" "$3" "${4:-}" "$here/go/$2"; }

# pinned MODULE PATH VERSION: go/MODULE requires just this version of PATH.
pinned() {
    grep -qE "^(require)?[[:space:]]*$2 $3( |\$)" "$here/go/$1/go.mod" || fail "go/$1/go.mod does not require $2 $3 as common.sh does"
}

programs() {
    local stamp c
    toolchain=$(go version)
    mkdir -p "$bin"
    pinned kubernetes k8s.io/kubernetes "$kubernetes"
    pinned etcd go.etcd.io/etcd/server/v3 "$etcd"
    pinned containerd github.com/containerd/containerd/v2 "$containerd"
    pinned coredns github.com/coredns/coredns "$coredns"
    pinned storage github.com/kubescape/storage "$storage"
    pinned kubevuln github.com/kubescape/kubevuln "$kubevuln"
    # kubeadm and the kubelet compare the versions that are stamped in.
    stamp="-X k8s.io/component-base/version.gitVersion=$kubernetes -X k8s.io/client-go/pkg/version.gitVersion=$kubernetes"
    stamp+=" -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=$(cut -d. -f2 <<< "$kubernetes")"
    program kind kind sigs.k8s.io/kind
    program helm helm helm.sh/helm/v3/cmd/helm
    for c in kubeadm kubelet kubectl kube-apiserver kube-controller-manager kube-scheduler kube-proxy; do
        program "$c" kubernetes "k8s.io/kubernetes/cmd/$c" "$stamp"
    done
    for c in containerd containerd-shim-runc-v2 ctr; do
        program "$c" containerd "github.com/containerd/containerd/v2/cmd/$c" "-X github.com/containerd/containerd/v2/version.Version=$containerd"
    done
    program etcd etcd go.etcd.io/etcd/server/v3
    program coredns coredns github.com/coredns/coredns
    program pause pause .
    program storage storage github.com/kubescape/storage
    program kubevuln kubevuln github.com/kubescape/kubevuln/cmd/http
    program grypedb grypedb .
    program node-agent agents ./nodeagent
    program operator agents ./operator
    compile observe "$root" ./scripts/testbed/observe '' \
        "$root/go.mod" "$root"/internal/{sensor,evidence,fault} "$here/observe"
}

# inputs TO=FROM...: what an image's files are made from, in lines. A program
# stands for itself by the key that it was built by.
inputs() {
    local e from
    for e in "$@"; do
        from=${e#*=}
        if [ -e "$from.key" ]; then
            echo "$e $(cat "$from.key")"
        elif [ -e "$from" ]; then
            echo "$e $(digest "$from")"
        else
            echo "$e"
        fi
    done
}

# key ARGUMENT...: of what `images pack` makes from these arguments.
key() { { echo "$packer"; inputs "$@"; } | sha256sum | cut -d' ' -f1; }

# image FILE TAG CONFIGURATION [-debian PACKAGES] TO=FROM...: a docker archive.
image() {
    local out=$cache/$1 tag=$2 config=$3 wanted start=$SECONDS; shift 3
    wanted=$(key "$tag" "$config" "$@")
    if fresh "$out" "$wanted"; then return; fi
    pack -tag "$tag" -config "$config" -o "$out" "$@"
    built "$out" "$wanted" "$start"
}

pack() {
    if [ ! -e "$bin/images" ] || [ -z "${packed:-}" ]; then
        (cd "$root" && go build -trimpath -buildvcs=false -o "$bin/images" ./scripts/images)
        packed=1
    fi
    (cd "$root" && "$bin/images" pack "$@")
}

images() {
    local c user='"User":"65532:65532"' home='home/nonroot=dir:0777' tmp='tmp=dir:1777'
    mkdir -p "$cache/node" "$cache/apps"
    # What kubeadm asks for, under the names that it asks for.
    for c in kube-apiserver kube-controller-manager kube-scheduler; do
        image "node/$c.tar" "registry.k8s.io/$c:$kubernetes" '{}' "usr/local/bin/$c=$bin/$c"
    done
    image node/kube-proxy.tar "registry.k8s.io/kube-proxy:$kubernetes" '{}' -debian 'iptables netbase' \
        "usr/local/bin/kube-proxy=$bin/kube-proxy"
    image node/etcd.tar "registry.k8s.io/etcd:${etcd#v}-0" '{}' "usr/local/bin/etcd=$bin/etcd"
    image node/coredns.tar "registry.k8s.io/coredns/coredns:$coredns" '{"Entrypoint":["/coredns"]}' "coredns=$bin/coredns"
    image node/pause.tar "registry.k8s.io/pause:$pause" '{"Entrypoint":["/pause"]}' "pause=$bin/pause"
    # What the chart asks for.
    image apps/storage.tar "$storage_image" "{\"Entrypoint\":[\"/usr/bin/storage\"],$user,\"Env\":[\"RELEASE=$storage\"]}" \
        "usr/bin/storage=$bin/storage" "$tmp" data=dir:0777 "$home"
    image apps/kubevuln.tar "$kubevuln_image" \
        "{\"Entrypoint\":[\"/usr/bin/kubevuln\"],$user,\"Env\":[\"RELEASE=$kubevuln\",\"HOME=/home/nonroot\"],\"WorkingDir\":\"/home/nonroot\"}" \
        "usr/bin/kubevuln=$bin/kubevuln" "$tmp" "$home"
    image apps/node-agent.tar "$node_agent_image" '{"Entrypoint":["/usr/bin/node-agent"]}' \
        "usr/bin/node-agent=$bin/node-agent" "usr/bin/observe=$bin/observe" "$tmp"
    image apps/operator.tar "$operator_image" "{\"Entrypoint\":[\"/usr/bin/operator\"],$user}" \
        "usr/bin/operator=$bin/operator" "$tmp"
    database
    image apps/grype-offline-db.tar "$database_image" \
        "{\"Entrypoint\":[\"/grypedb\"],\"Cmd\":[\"serve\",\"/www\",\":8080\"],$user}" \
        "grypedb=$bin/grypedb" "www=$cache/database/www" "installed=$cache/database/installed"
}

# The bed's vulnerability database, packed and as Grype installs it.
database() {
    local out=$cache/database wanted start=$SECONDS
    wanted=$(key "$here/go/grypedb/records.json" "grypedb=$bin/grypedb")
    if fresh "$out" "$wanted"; then return; fi
    rm -rf "$out"
    "$bin/grypedb" build "$here/go/grypedb/records.json" "$out" > /dev/null
    chmod -R a+rX "$out" # Grype makes its directories 0700
    built "$out" "$wanted" "$start"
}

# The node image is known to Docker by a label with its key. As in kind's own,
# containerd has Kubernetes' images already, to be unpacked by each node.
node() {
    local wanted start=$SECONDS base=$node_image-base archives=() entries=() a
    for a in kube-apiserver kube-controller-manager kube-scheduler kube-proxy etcd coredns pause; do
        archives+=("$a=$cache/node/$a.tar")
    done
    mkdir -p "$cache/node/files"
    echo "$kubernetes" > "$cache/node/files/version"
    entries=(-debian "runc containernetworking-plugins iptables nftables iproute2 ipset conntrack ethtool socat jq kmod mount procps util-linux"
        "usr/bin/containerd=$bin/containerd" "usr/bin/containerd-shim-runc-v2=$bin/containerd-shim-runc-v2" "usr/bin/ctr=$bin/ctr"
        "usr/bin/kubeadm=$bin/kubeadm" "usr/bin/kubelet=$bin/kubelet" "usr/bin/kubectl=$bin/kubectl"
        "usr/local/bin/entrypoint=$here/node/entrypoint" "usr/local/bin/runc-wrapper=$root/scripts/setup/runc-wrapper"
        "etc/containerd/config.toml=$here/node/config.toml" "etc/cni/net.d/10-bed.conflist=$here/node/10-bed.conflist"
        'opt/cni/bin=link:/usr/lib/cni' var/lib/kubelet=dir:0755
        "kind/version=$cache/node/files/version"
        "kind/manifests/default-cni.yaml=$here/node/default-cni.yaml"
        "kind/manifests/default-storage.yaml=$here/node/default-storage.yaml")
    wanted=$(key "import=$here/node/import" "${entries[@]}" "${archives[@]}")
    if [ "$(docker image inspect -f '{{index .Config.Labels "vexxy.testbed.key"}}' "$node_image" 2> /dev/null)" = "$wanted" ]; then return; fi
    pack -tag "$base" -o "$cache/node.tar" -config '{"Entrypoint":["/usr/local/bin/entrypoint"]}' "${entries[@]}"
    docker load -q -i "$cache/node.tar" > /dev/null
    rm "$cache/node.tar"
    import "$base" "$wanted"
    docker rmi "$base" > /dev/null
    made=$((made + 1))
    say "$node_image in $((SECONDS - start))s"
}

# import BASE KEY: makes the node image of its base.
import() {
    local container=bed-import-$$
    # shellcheck disable=SC2064 # the name as it is now
    trap "docker rm --force --volumes $container > /dev/null 2>&1 || true" EXIT
    docker run --name "$container" --tmpfs /run --tmpfs /tmp -v "$cache/node:/archives:ro" -v "$here/node/import:/import:ro" \
        --entrypoint bash "$1" /import >&2 || fail "importing Kubernetes' images"
    docker commit --change 'ENTRYPOINT ["/usr/local/bin/entrypoint"]' --change "LABEL vexxy.testbed.key=$2" "$container" "$node_image" > /dev/null
    docker rm --force --volumes "$container" > /dev/null
    trap - EXIT
}

"$root/scripts/setup/packages.sh" docker images
packer=$(digest "$root/scripts/images" "$root/go.mod")
for part in "${@:-}"; do
    case ${part:-all} in
        programs | images | node) "$part" ;;
        all) programs; images; "$root/scripts/setup/docker.sh"; node ;;
        *) fail "unknown part $part" ;;
    esac
done
say "$made made, ${SECONDS}s"
