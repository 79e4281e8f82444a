package catalog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	it "github.com/vexxy/action/internal/catalog/catalogtest"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/inventory"
)

// An image beyond a limit gives a catalog that says so.
func TestLimits(t *testing.T) {
	files := append([]it.File{{Path: "/usr/bin/a", Body: strings.Repeat("x", 4096)}, {Path: "/usr/bin/b"}},
		it.DebianRoot(it.Deb{Name: "a", Version: "1", Listed: []string{"/usr/bin/a", "/usr/bin/b"}}, it.Deb{Name: "b", Version: "1", Listed: []string{"/usr/bin/b"}})...)
	img := it.Image(t, files, []it.File{{Path: "/usr/bin/c"}})
	ctx, err := WithClassifier(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for name, narrow := range map[string]func(*limits){
		"layers":   func(l *limits) { l.layers = 1 },
		"bytes":    func(l *limits) { l.bytes = 4096 },
		"entries":  func(l *limits) { l.entries = 3 },
		"packages": func(l *limits) { l.packages = 1 },
		"files":    func(l *limits) { l.files = 1 },
		"sbom":     func(l *limits) { l.sbom = 100 },
	} {
		lim := defaultLimits
		narrow(&lim)
		c, err := read(ctx, img, "x", t.TempDir(), lim)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if c.Incomplete == "" {
			t.Errorf("%s: the catalog claims to be complete", name)
		}
		for _, p := range c.Packages {
			if name == "files" && len(p.Files) > lim.files {
				t.Errorf("%s lists %d files", p.Name, len(p.Files))
			}
		}
		if !bytes.Contains(c.SBOM, []byte(`"artifacts"`)) {
			t.Errorf("%s: no SBOM", name)
		}
	}
	c, err := read(ctx, img, "x", t.TempDir(), defaultLimits)
	if err != nil || c.Incomplete != "" || len(c.Packages) != 2 {
		t.Errorf("within the limits: %v, %q, %d packages", err, c.Incomplete, len(c.Packages))
	}
}

func TestCancelledRead(t *testing.T) {
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(stop)
	if _, err := Read(ctx, it.Image(t, it.DebianRoot()), "x", t.TempDir()); !errors.Is(err, stop) {
		t.Errorf("error %v, want the context's cause", err)
	}
}

// tampered is a layer whose bytes are not those of its diff ID.
type tampered struct{ v1.Layer }

func (l tampered) Uncompressed() (io.ReadCloser, error) {
	other, err := it.Layer([]it.File{{Path: "/evil"}})
	if err != nil {
		return nil, err
	}
	return other.Uncompressed()
}

// broken is a layer that ends in an error.
type broken struct{ v1.Layer }

func (l broken) Uncompressed() (io.ReadCloser, error) {
	return io.NopCloser(io.MultiReader(strings.NewReader("not a tar archive"), errReader{})), nil
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// replaced is an image with other layers than its configuration names.
type replaced struct {
	v1.Image
	layers []v1.Layer
}

func (r replaced) Layers() ([]v1.Layer, error) { return r.layers, nil }

func TestBadLayers(t *testing.T) {
	layer, err := it.Layer([]it.File{{Path: "/good"}})
	if err != nil {
		t.Fatal(err)
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		layers []v1.Layer
		code   fault.Code
	}{
		"other bytes": {[]v1.Layer{tampered{layer}}, fault.Integrity},
		"one more":    {[]v1.Layer{layer, layer}, fault.Integrity},
		"one less":    {nil, fault.Integrity},
		"not a layer": {[]v1.Layer{broken{layer}}, fault.Infra},
	} {
		_, err := Read(context.Background(), replaced{img, test.layers}, "x", t.TempDir())
		if fault.CodeOf(context.Background(), err) != test.code || fault.HintOf(err) == "" {
			t.Errorf("%s: error %v, code %d, hint %q; want code %d", name, err, fault.CodeOf(context.Background(), err), fault.HintOf(err), test.code)
		}
	}
}

// A package database that cannot be read leaves the list of packages in doubt.
func TestUnreadableDatabase(t *testing.T) {
	c, err := Read(context.Background(), it.Image(t, []it.File{
		{Path: "/etc/os-release", Body: "ID=fedora\nVERSION_ID=40\n"},
		{Path: "/var/lib/rpm/rpmdb.sqlite", Body: "SQLite format 3\x00 but not really"},
	}), "x", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(c.Incomplete, "/var/lib/rpm/rpmdb.sqlite") {
		t.Errorf("incomplete = %q", c.Incomplete)
	}
}

func TestResolve(t *testing.T) {
	tr := &tree{nodes: map[string]node{
		"/": {kind: kindDir}, "/usr": {kind: kindDir}, "/usr/lib": {kind: kindDir}, "/usr/lib/f": {kind: kindFile},
		"/lib": {kind: kindLink, target: "usr/lib"}, "/a": {kind: kindLink, target: "/b"}, "/b": {kind: kindLink, target: "a"},
		"/deep": {kind: kindDir}, "/deep/up": {kind: kindLink, target: "../lib/../lib/f"}, "/out": {kind: kindLink, target: "../../../usr/lib/f"},
		"/through": {kind: kindLink, target: "/usr/lib/f/x"}, "/dev": {kind: kindSpecial},
	}, dirs: map[string]string{}, ends: map[string]end{}}
	for path, want := range map[string]string{
		"/lib/f": "/usr/lib/f", "usr/lib/f": "/usr/lib/f", "/deep/up": "/usr/lib/f", "/out": "/usr/lib/f",
		"/a": "", "/through": "", "/usr/lib/f/x": "", "/gone": "", "/lib": "", "/dev": "", "/": "", "/lib/../usr/lib/f": "/usr/lib/f",
	} {
		got, ok := tr.file(path)
		if !ok {
			got = ""
		}
		if got != want {
			t.Errorf("file(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestSourceRPM(t *testing.T) {
	for in, want := range map[string]inventory.Source{
		"util-linux-ng-2.17.2-12.28.el6_9.2.src.rpm": {Name: "util-linux-ng", Version: "2.17.2-12.28.el6_9.2"},
		"bash-5.2-1.fc40.nosrc.rpm":                  {Name: "bash", Version: "5.2-1.fc40"},
	} {
		if got := sourceRPM(in); got == nil || *got != want {
			t.Errorf("sourceRPM(%q) = %+v, want %+v", in, got, want)
		}
	}
	for _, in := range []string{"", "(none)", "x.rpm", "-1-2.src.rpm", "a-1.src.rpm"} {
		if got := sourceRPM(in); got != nil {
			t.Errorf("sourceRPM(%q) = %+v, want nothing", in, got)
		}
	}
}
