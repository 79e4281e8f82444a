package workflows

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// onPurpose are the folders whose modules Dependabot leaves alone.
var onPurpose = []string{"/scripts/images/", "/scripts/testbed/"}

// Dependabot looks after every module but those that are old on purpose, and
// after all that it is told of.
func TestDependabot(t *testing.T) {
	var asked struct {
		Updates []struct {
			Ecosystem   string `yaml:"package-ecosystem"`
			Directory   string
			Directories []string
		}
	}
	if err := yaml.Unmarshal(file(t, ".github/dependabot.yml"), &asked); err != nil {
		t.Fatal(err)
	}
	var modules, ecosystems []string
	for _, u := range asked.Updates {
		ecosystems = append(ecosystems, u.Ecosystem)
		if u.Ecosystem == "gomod" {
			modules = append(modules, u.Directories...)
		}
	}
	slices.Sort(ecosystems)
	if want := []string{"docker", "github-actions", "gomod"}; !slices.Equal(ecosystems, want) {
		t.Errorf("it looks after %v, want %v", ecosystems, want)
	}
	var there []string
	err := fs.WalkDir(os.DirFS("../.."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != "." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		dir := path.Join("/", path.Dir(name))
		old := slices.ContainsFunc(onPurpose, func(prefix string) bool { return strings.HasPrefix(dir, prefix) })
		if d.Name() == "go.mod" && !old {
			there = append(there, dir)
		}
		if d.Name() == "package.json" {
			t.Errorf("%s is npm's, which it does not look after", name)
		}
		return nil
	})
	if err != nil || len(there) < 5 {
		t.Fatalf("%d modules: %v", len(there), err)
	}
	slices.Sort(modules)
	slices.Sort(there)
	if !slices.Equal(modules, there) {
		t.Errorf("it looks after %v, and there are %v", modules, there)
	}
}

// The images that the Dockerfile begins with are fixed, and its compiler is the
// module's.
func TestDockerfile(t *testing.T) {
	pinned := regexp.MustCompile(`(?m)^ARG (BASE|GO)=(\S+:\S+)@sha256:[0-9a-f]{64}$`).FindAllSubmatch(file(t, "Dockerfile"), -1)
	if len(pinned) != 2 || string(pinned[0][1]) != "BASE" || string(pinned[1][1]) != "GO" {
		t.Fatalf("the Dockerfile pins %q", pinned)
	}
	from := regexp.MustCompile(`(?m)^FROM .*$`).FindAll(file(t, "Dockerfile"), -1)
	for _, line := range from {
		if !strings.Contains(string(line), "${GO}") && !strings.Contains(string(line), "${BASE}") {
			t.Errorf("%s is not pinned", line)
		}
	}
	version := regexp.MustCompile(`(?m)^go (\S+)$`).FindSubmatch(file(t, "go.mod"))
	if version == nil || !strings.HasPrefix(string(pinned[1][2]), "golang:"+string(version[1])+"-") {
		t.Errorf("the image is built with %s, the module asks for %s", pinned[1][2], version)
	}
}

func file(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("../../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
