package architecture

import (
	"maps"
	"slices"
	"testing"
)

// small is a program without a fault, and its map.
func small() (graph, []row) {
	rows := []row{
		{"cmd/vexxy", []string{"app"}},
		{"app", []string{anything}},
		{"run", []string{"judge"}},
		{"engine/one", []string{"engine/one/part", "sensor", "record"}},
		{"engine/one/part", nil},
		{"engine/two", []string{"record"}},
		{"host/local", nil},
		{"host/github", nil},
		{"attest", nil},
		{"judge", []string{"record"}},
		{"catalog", nil},
		{"cluster", nil},
		{"sensor", nil},
		{"record", []string{"inventory"}},
		{"inventory", nil},
	}
	g := graph{
		"net/http": {imports: []string{"net"}}, "net": {}, "net/url": {}, "os": {},
		"example.org/fine": {imports: []string{"net/url"}}, "example.org/client": {imports: []string{"net/http"}},
	}
	for _, r := range rows {
		g[r.name] = node{local: true, imports: slices.DeleteFunc(slices.Clone(r.imports), func(s string) bool { return s == anything })}
	}
	add := func(name string, imports ...string) {
		n := g[name]
		n.imports = append(n.imports, imports...)
		g[name] = n
	}
	add("cmd/vexxy", "os")
	add("app", "run", "engine/one", "host/local", "sensor", "cluster")
	add("judge", "example.org/fine", "os")
	add("catalog", "github.com/anchore/syft/syft", "net/http")
	add("cluster", "sigs.k8s.io/kind/pkg/cluster")
	add("host/github", "github.com/sethvargo/go-githubactions")
	return g, rows
}

func TestSmallProgramIsFine(t *testing.T) {
	if bad := check(small()); len(bad) != 0 {
		t.Errorf("violations: %q", bad)
	}
}

// Every rule is found broken by itself: imports that the map allows still
// violate the rule.
func TestViolations(t *testing.T) {
	type change struct {
		from    string
		to      []string
		allowed bool // on the map too
		tests   bool // imported by tests
		lines   int
	}
	for want, c := range map[string]change{
		"run imports inventory, which the map does not allow":                                                {from: "run", to: []string{"inventory"}},
		"unknown is not on the map of packages":                                                              {from: "unknown"},
		"the map lets inventory import record, which is not below it":                                        {from: "inventory", to: []string{"record"}, allowed: true},
		"the map lets inventory import nothing, which is not below it":                                       {from: "inventory", to: []string{"nothing"}, allowed: true},
		"app imports cmd/vexxy, which the map does not allow":                                                {from: "app", to: []string{"cmd/vexxy"}},
		"engine/one imports another adapter: engine/one > engine/two":                                        {from: "engine/one", to: []string{"engine/two"}, allowed: true},
		"engine/one imports another adapter: engine/one > attest":                                            {from: "engine/one", to: []string{"attest"}, allowed: true},
		"engine/two imports another adapter: engine/two > engine/one/part":                                   {from: "engine/two", to: []string{"engine/one/part"}, allowed: true},
		"engine/one/part imports another adapter: engine/one/part > engine/two":                              {from: "engine/one/part", to: []string{"engine/two"}, allowed: true},
		"engine/one/part imports engine/one, which the map does not allow":                                   {from: "engine/one/part", to: []string{"engine/one"}},
		"host/local imports another adapter: host/local > host/github":                                       {from: "host/local", to: []string{"host/github"}, allowed: true},
		"run imports sensor, which is left to engine/, window, doctor, app":                                  {from: "run", to: []string{"sensor"}, allowed: true},
		"run imports cluster, which is left to engine/, doctor, app":                                         {from: "run", to: []string{"cluster"}, allowed: true},
		"run imports github.com/sethvargo/go-githubactions, which is left to host/github":                    {from: "run", to: []string{"github.com/sethvargo/go-githubactions"}},
		"run imports sigs.k8s.io/kind/pkg/cluster, which is left to cluster":                                 {from: "run", to: []string{"sigs.k8s.io/kind/pkg/cluster"}},
		"cluster imports helm.sh/helm/v3/pkg/action, which is left to engine/kubescape":                      {from: "cluster", to: []string{"helm.sh/helm/v3/pkg/action"}},
		"run imports github.com/cilium/ebpf/link, which is left to sensor":                                   {from: "run", to: []string{"github.com/cilium/ebpf/link"}},
		"run imports github.com/anchore/syft/syft, which is left to catalog, consume, sbom":                  {from: "run", to: []string{"github.com/anchore/syft/syft"}},
		"run imports github.com/anchore/grype/grype, which is left to catalog, catalog/catalogtest, consume": {from: "run", to: []string{"github.com/anchore/grype/grype"}},
		"judge is not pure: judge > net/http":                                                                {from: "judge", to: []string{"net/http"}},
		"judge is not pure: judge > os/exec":                                                                 {from: "judge", to: []string{"os/exec"}},
		"judge is not pure: judge > example.org/client > net/http":                                           {from: "judge", to: []string{"example.org/client"}},
		"judge is not pure: judge > catalog > github.com/anchore/syft/syft":                                  {from: "judge", to: []string{"catalog"}, allowed: true},
		"judge is not pure: judge > github.com/moby/moby/client":                                             {from: "judge", to: []string{"github.com/moby/moby/client"}},
		"judge is not pure: judge > github.com/google/go-containerregistry/pkg/v1/remote":                    {from: "judge", to: []string{"github.com/google/go-containerregistry/pkg/v1/remote"}},
		"judge has tests that link a heavy library: judge > catalog > github.com/anchore/syft/syft":          {from: "judge", to: []string{"catalog"}, tests: true},
		"record has tests that link a heavy library: record > github.com/anchore/stereoscope/pkg/image":      {from: "record", to: []string{"github.com/anchore/stereoscope/pkg/image"}, tests: true},
		"cmd/vexxy has 30 lines, more than 29":                                                               {from: "cmd/vexxy", lines: 30},
		"cmd/vexxy imports example.org/fine, a command imports app alone":                                    {from: "cmd/vexxy", to: []string{"example.org/fine"}},
		"cmd/vexxy imports run, which the map does not allow":                                                {from: "cmd/vexxy", to: []string{"run"}},
	} {
		g, rows := small()
		n := g[c.from]
		n.local, n.lines = true, c.lines
		if c.tests {
			n.tests = c.to
		} else {
			n.imports = append(n.imports, c.to...)
		}
		g[c.from] = n
		if c.allowed {
			i := find(rows, c.from)
			rows[i].imports = append(rows[i].imports, c.to...)
		}
		if bad := check(g, rows); !slices.Contains(bad, want) {
			t.Errorf("violations %q, none is %q", bad, want)
		}
	}
}

func TestMapOfNothing(t *testing.T) {
	g, rows := small()
	maps.DeleteFunc(g, func(name string, _ node) bool { return name == "attest" })
	if bad := check(g, rows); !slices.Equal(bad, []string{"attest is on the map, but there is no such package"}) {
		t.Errorf("violations %q", bad)
	}
}
