package kubescape

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/vexxy/action/internal/cluster"
	"github.com/vexxy/action/internal/fault"
)

func TestDisabled(t *testing.T) {
	const whole = `{"capabilities": {"relevancy": "enable", "vulnerabilityScan": "enable", "nodeSbomGeneration": "enable", "vexGeneration": "enable"}, "components": {}}`
	for _, c := range []struct {
		name, document string
		want           []string
	}{
		{"all", whole, nil},
		{"one off", strings.Replace(whole, `"vexGeneration": "enable"`, `"vexGeneration": "disable"`, 1), []string{"capabilities.vexGeneration=enable"}},
		{"two unknown to an old chart", `{"capabilities": {"relevancy": "enable", "vulnerabilityScan": "enable"}}`,
			[]string{"capabilities.nodeSbomGeneration=enable", "capabilities.vexGeneration=enable"}},
		{"of another type", strings.Replace(whole, `"relevancy": "enable"`, `"relevancy": true`, 1), []string{"capabilities.relevancy=enable"}},
	} {
		if got, err := disabled(c.document); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
	if _, err := disabled(""); err == nil {
		t.Error("no document at all is no error")
	}
}

// A storage of another version is known by what its API lacks, whatever it
// calls itself.
func TestUnserved(t *testing.T) {
	const list = `{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "spdx.softwarecomposition.kubescape.io/v1beta1", "resources": [RESOURCES]}`
	resources := func(names ...string) string {
		for i, n := range names {
			names[i] = fmt.Sprintf(`{"name": %q, "kind": "K", "namespaced": true, "verbs": ["list"]}`, n)
		}
		return strings.Replace(list, "RESOURCES", strings.Join(names, ","), 1)
	}
	for _, c := range []struct {
		name, answer string
		status       int
		want         []string
		fails        bool
	}{
		{"all", resources("sbomsyfts", "vulnerabilitymanifests", "openvulnerabilityexchangecontainers", "containerprofiles", "more"), 200, nil, false},
		{"before container profiles", resources("applicationprofiles", "sbomsyfts", "vulnerabilitymanifests", "openvulnerabilityexchangecontainers"), 200, []string{"containerprofiles"}, false},
		{"nothing", resources(), 200, read, false},
		{"no such version of the API", `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}`, 404, read, false},
		{"not served now", `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "ServiceUnavailable", "code": 503}`, 503, nil, true},
		{"no list", `[]`, 200, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/apis/spdx.softwarecomposition.kubescape.io/v1beta1" {
					t.Errorf("asked for %s", r.URL.Path)
				}
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.answer)
			}))
			defer server.Close()
			client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			e := &Engine{cluster: &cluster.Cluster{Client: client}}
			got, err := e.unserved(t.Context())
			if (err != nil) != c.fails || !slices.Equal(got, c.want) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestExcluded(t *testing.T) {
	for document, want := range map[string]bool{
		`{}`:                              false,
		`no JSON`:                         false,
		`{"includeNamespaces": []}`:       false,
		`{"includeNamespaces": ""}`:       false,
		`{"includeNamespaces": ["shop"]}`: true,
		`{"includeNamespaces": "shop, checkout"}`:                                        true,
		`{"includeNamespaces": "a,vexxy-sandbox"}`:                                       false,
		`{"excludeNamespaces": "kube-system"}`:                                           false,
		`{"excludeNamespaces": ["vexxy-sandbox"]}`:                                       true,
		`{"excludeNamespaces": "a, vexxy-sandbox"}`:                                      true,
		`{"includeNamespaces": ["vexxy-sandbox"], "excludeNamespaces": ["kube-system"]}`: false,
	} {
		if got := excluded(document); (got != "") != want {
			t.Errorf("%s: %q", document, got)
		}
	}
}

func TestForbidden(t *testing.T) {
	if err := forbidden("c", nil); err != nil {
		t.Errorf("nothing is missing: %v", err)
	}
	err := forbidden("c", []right{{"list", "", "nodes", ""}, {"create", "apps", "deployments", Sandbox}, {"create", "", "pods/exec", Sandbox}})
	const want = "checking rights in cluster c: its user may not list nodes; create deployments of apps in namespace vexxy-sandbox; create pods/exec in namespace vexxy-sandbox"
	if fault.CodeOf(t.Context(), err) != fault.Infra || err.Error() != want {
		t.Errorf("the error is %v", err)
	}
}

// What is not known to be over is let alone.
func TestExpired(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for at, want := range map[string]bool{
		now.Add(-time.Minute).UTC().Format(time.RFC3339): true, now.Add(time.Minute).UTC().Format(time.RFC3339): false,
		"": false, "yesterday": false,
	} {
		if expired(at, now) != want {
			t.Errorf("expired(%q) is not %v", at, want)
		}
	}
	for at, want := range map[string]bool{lapse(now.Add(-time.Minute)): true, lapse(now.Add(time.Minute)): false, "": false, "x": false} {
		if lapsed(at, now) != want {
			t.Errorf("lapsed(%q) is not %v", at, want)
		}
	}
}

func TestDockerConfig(t *testing.T) {
	for registry, want := range map[string]string{
		"index.docker.io":   `{"auths":{"https://index.docker.io/v1/":{"password":"p","username":"u"}}}`,
		"quay.example:5000": `{"auths":{"quay.example:5000":{"password":"p","username":"u"}}}`,
	} {
		if got, err := dockerConfig(registry, "u", "p"); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v", registry, got, err)
		}
	}
}
