// Package architecture holds the program to its map of packages: who may import
// whom, and who may reach the world. It has nothing but tests.
package architecture

// row is one package of the map and the packages of this module that it may
// import. Names leave out the module and "internal/".
type row struct {
	name    string
	imports []string
}

// anything stands for all packages below.
const anything = "*"

// packages is the map, from the top down: a package imports only what stands
// below it. Tests are not bound by it, nor are the tools below scripts.
var packages = []row{
	{"cmd/action", []string{"app"}},
	{"cmd/gitlab", []string{"app"}},
	{"cmd/vexxy", []string{"app"}},
	{"architecture", nil},
	{"e2e", nil},
	{"app", []string{anything}},

	// The order of a run, and the adapters to the world.
	{"run", []string{"baseline", "config", "consume", "fault", "gate", "journal", "judge", "record", "report", "report/gitlab", "report/sarif", "sbom", "source", "subject", "triage", "vexdiff", "vexdoc"}},
	{"doctor", []string{"cluster", "engine/embedded", "fault", "foreign", "sensor"}},
	{"attest", []string{"config", "evidence", "fault", "foreign", "judge", "record", "source", "subject"}},
	{"attest/attesttest", nil},
	{"engine/kubescape", []string{"catalog", "cluster", "engine/kubescape/objects", "evidence", "exercise", "fault", "foreign", "inventory", "journal", "record", "sensor", "source", "subject", "window"}},
	{"engine/kubescape/objects", []string{"evidence", "fault", "foreign", "inventory", "record"}},
	{"engine/embedded", []string{"catalog", "evidence", "exercise", "fault", "inventory", "journal", "record", "sensor", "source", "subject", "window"}},
	{"host/github", []string{"base", "bearer", "fault", "foreign", "steplog", "sticky"}},
	{"host/github/githubtest", []string{"sticky/stickytest"}},
	{"host/gitlab", []string{"base", "bearer", "fault", "foreign", "steplog", "sticky"}},
	{"host/gitlab/gitlabtest", []string{"sticky/stickytest"}},
	{"host/local", []string{"fault", "foreign", "steplog"}},
	{"base", []string{"fault", "foreign"}},
	{"bearer", []string{"foreign"}},
	{"steplog", []string{"foreign"}},
	{"sticky/stickytest", []string{"fault", "sticky"}},
	{"sticky", nil},

	// Right of the record.
	{"consume", []string{"foreign", "judge", "record", "subject"}},
	{"report/reporttest", []string{"baseline", "evidence", "fault", "gate", "inventory", "judge", "record", "report", "subject"}},
	{"report/gitlab", []string{"baseline", "foreign", "inventory", "judge", "report"}},
	{"report/sarif", []string{"baseline", "foreign", "inventory", "jsonlist", "judge", "report"}},
	{"report", []string{"baseline", "evidence", "fault", "foreign", "gate", "inventory", "judge", "record", "subject", "vexdiff"}},
	{"vexdiff", []string{"evidence", "foreign", "inventory", "judge", "record"}},
	{"vexdoc", []string{"foreign", "judge", "record", "subject"}},
	{"config", []string{"fault", "gate", "inventory"}},
	{"gate", []string{"baseline", "evidence", "fault", "foreign", "inventory", "judge"}},
	{"baseline", []string{"fault", "foreign", "inventory", "jsonlist", "judge", "subject"}},
	{"judge", []string{"evidence", "foreign", "inventory", "record", "triage"}},
	{"triage", []string{"fault", "foreign", "jsonlist", "subject"}},
	{"judge/judgetest", []string{"evidence", "inventory", "record", "subject"}},
	{"sbom", []string{"record"}},

	// Left of the record.
	{"catalog", []string{"fault", "inventory"}},
	{"catalog/catalogtest", nil},
	{"source", []string{"fault", "foreign", "subject"}},
	{"window", []string{"evidence", "exercise", "inventory", "sensor"}},
	{"sensor", []string{"evidence", "fault"}},
	{"exercise", []string{"evidence"}},
	{"cluster", []string{"fault", "foreign", "journal"}},
	{"cluster/clustertest", nil},
	{"journal", []string{"fault", "foreign"}},

	// The record and its nouns.
	{"record", []string{"evidence", "fault", "inventory", "subject"}},
	{"evidence", []string{"foreign"}},
	{"inventory", nil},
	{"subject", nil},
	{"foreign", nil},
	{"jsonlist", nil},
	{"foreign/foreigntest", nil},
	{"fault", nil},

	// What stands by itself: the first to be initialised, and what the tests
	// ask of workflows.
	{"boot", nil},
	{"workflows", nil},
}

// pure are the packages that compute and nothing else: the judgement and all
// that it is made of. Neither they nor what they import reach the world.
var pure = []string{
	"baseline", "evidence", "fault", "foreign", "gate", "inventory", "judge", "record", "report", "report/gitlab", "report/sarif", "subject", "triage", "vexdiff", "vexdoc",
}

// world are the packages through which a program reaches what is outside of
// it, other than files. A path stands for all below it, but "net" for itself:
// net/url and net/netip are plain types.
var world = []string{
	"net", "net/http", "net/rpc", "os/exec", "plugin",
	"github.com/anchore", "github.com/cilium/ebpf", "github.com/docker", "github.com/google/go-containerregistry",
	"github.com/google/go-github", "github.com/moby", "github.com/sethvargo/go-githubactions", "github.com/sigstore",
	"gitlab.com", "google.golang.org/grpc", "helm.sh", "k8s.io", "sigs.k8s.io",
}

// heavy are the libraries that take a minute to compile and link: the tests of
// a pure package keep clear of them too.
var heavy = []string{"github.com/anchore"}

// owned are packages that only some may import. A name that ends in a slash
// stands for all below it.
var owned = []struct {
	path string
	by   []string
}{
	{"sensor", []string{"engine/", "window", "doctor", "app"}},
	{"cluster", []string{"engine/", "doctor", "app"}},
	{"github.com/sethvargo/go-githubactions", []string{"host/github"}},
	{"github.com/google/go-github", []string{"host/github"}},
	{"gitlab.com/gitlab-org/api", []string{"host/gitlab"}},
	{"sigs.k8s.io/kind", []string{"cluster"}},
	{"helm.sh/helm", []string{"engine/kubescape"}},
	{"github.com/cilium/ebpf", []string{"sensor"}},
	{"github.com/sigstore", []string{"attest", "attest/attesttest"}},
	{"github.com/anchore/syft", []string{"catalog", "consume", "sbom"}},
	{"github.com/anchore/grype", []string{"catalog", "catalog/catalogtest", "consume"}},
}

// maxCommandLines is what a command's files may hold: arguments and exit code.
const maxCommandLines = 29
