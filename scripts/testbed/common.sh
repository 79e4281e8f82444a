# shellcheck shell=bash
# common.sh: what the test bed's scripts share. Versions are named here once;
# a go.mod below go/ that disagrees fails the build.
# shellcheck disable=SC2034 # the scripts that read this file use them
kubernetes=v1.34.4 etcd=v3.6.5 coredns=v1.12.1 pause=3.10.1 containerd=v2.3.4
storage=v0.0.290 kubevuln=v0.3.154 node_agent=v0.3.158
node_image=testbed/node:$kubernetes
database_image=vexxy.test/grype-offline-db:v6
storage_image=vexxy.test/storage:$storage
kubevuln_image=vexxy.test/kubevuln:$kubevuln
node_agent_image=vexxy.test/node-agent-stand-in:$node_agent
operator_image=vexxy.test/operator-stand-in:1

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
root=$(readlink -f "$here/../..")
fixtures=$(realpath -m "${FIXTURES_CACHE:-$root/.cache}")/images
cache=$(realpath -m "${FIXTURES_CACHE:-$root/.cache}")/testbed
api=/apis/spdx.softwarecomposition.kubescape.io/v1beta1

say() { echo "$(basename "$0"): $*" >&2; }
fail() { say "$*"; exit 1; }
