package architecture

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const module = "github.com/vexxy/action"

// root is the module's folder, seen from this one.
const root = "../.."

// The program is as its map says.
func TestArchitecture(t *testing.T) {
	watch(t)
	g := read(t)
	if len(g) < 200 || !slices.Contains(g["judge"].imports, "record") || !slices.Contains(g["evidence"].imports, "time") {
		t.Fatalf("the graph of %d packages is not the program's", len(g))
	}
	for _, violation := range check(g, packages) {
		t.Error(violation)
	}
}

// watch opens all folders with Go files in this process, so that go test does
// not take a result out of its cache after one of them changed: it knows
// nothing of what go list reads.
func watch(t *testing.T) {
	t.Helper()
	for _, dir := range []string{"cmd", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(_ string, _ fs.DirEntry, err error) error { return err })
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
}

// read asks the go command for the graph of imports.
func read(t *testing.T) graph {
	t.Helper()
	const limit = 5 * time.Minute
	ctx, cancel := context.WithTimeoutCause(t.Context(), limit, fmt.Errorf("no answer after %s", limit))
	defer cancel()
	list := exec.CommandContext(ctx, "go", "list", "-deps", "-json=ImportPath,Dir,GoFiles,Imports,TestImports,XTestImports", "./cmd/...", "./internal/...")
	list.Dir = root
	var stderr bytes.Buffer
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("listing packages: %v (%v): %s", err, context.Cause(ctx), stderr.String())
	}
	g := graph{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath, Dir                             string
			GoFiles, Imports, TestImports, XTestImports []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return g
		} else if err != nil {
			t.Fatalf("reading the list of packages: %v", err)
		}
		n := node{
			imports: names(p.Imports), tests: names(append(p.TestImports, p.XTestImports...)),
			local: strings.HasPrefix(p.ImportPath, module+"/"),
		}
		name := names([]string{p.ImportPath})[0]
		if strings.HasPrefix(name, "cmd/") && n.local {
			n.lines = lines(t, p.Dir, p.GoFiles)
		}
		g[name] = n
	}
}

// names shortens the names of the module's own packages.
func names(paths []string) []string {
	out := make([]string, len(paths))
	for i, p := range paths {
		own, local := strings.CutPrefix(p, module+"/")
		out[i] = p
		if local {
			out[i] = strings.TrimPrefix(own, "internal/")
		}
	}
	return out
}

// lines counts the lines of a package's files.
func lines(t *testing.T, dir string, files []string) int {
	t.Helper()
	count := 0
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(dir, f))
		if err != nil {
			t.Fatal(err)
		}
		count += bytes.Count(text, []byte("\n"))
	}
	return count
}
