package kubescape

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/fault"
)

func TestReadManifests(t *testing.T) {
	dir := t.TempDir()
	object := func(name string) string {
		return fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: %s}}\n", name)
	}
	for name, data := range map[string]string{
		"b.yaml": "# nothing\n---\n" + object("b1") + "---\n---\n" + object("b2"), "sub/a.yml": object("a"),
		"c.json": `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}`, "README.md": "no manifest",
		"bad/broken.yaml": "a: [", "bad/nameless.yaml": "{apiVersion: v1, kind: ConfigMap}", "bad/scalar.yaml": "hello",
		"bad/large.yaml": "# " + strings.Repeat("x", maxManifest), "bad/many.yaml": strings.Repeat(object("m")+"---\n", maxObjects+1),
		"none/README.md": "",
	} {
		path := filepath.Join(dir, "good", name)
		if sub, found := strings.CutPrefix(name, "bad/"); found {
			path = filepath.Join(dir, "bad", sub)
		} else if strings.HasPrefix(name, "none/") {
			path = filepath.Join(dir, name)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	all, err := readManifests([]string{filepath.Join(dir, "good"), filepath.Join(dir, "good", "c.json")})
	var names []string
	for _, o := range all {
		names = append(names, o.GetName())
	}
	if got := strings.Join(names, " "); err != nil || got != "b1 b2 c a c" {
		t.Errorf("they are %q, %v", got, err)
	}
	for _, path := range []string{"bad/broken.yaml", "bad/nameless.yaml", "bad/scalar.yaml", "bad/large.yaml", "bad/many.yaml", "none", "nowhere"} {
		_, err := readManifests([]string{filepath.Join(dir, path)})
		if fault.CodeOf(t.Context(), err) != fault.Usage || !strings.Contains(err.Error(), filepath.Base(path)) {
			t.Errorf("%s: the error is %v", path, err)
		}
	}
}
