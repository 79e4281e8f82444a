package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestReadmeHasEveryFixture keeps the table of truths whole.
func TestReadmeHasEveryFixture(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]+`) \\|").FindAllStringSubmatch(string(text), -1) {
		for _, name := range strings.Split(row[1], ", ") {
			told[strings.Trim(name, "`")] = true
		}
	}
	for _, f := range fixtures() {
		if !told[f.name] {
			t.Errorf("README.md does not tell what is true of %s", f.name)
		}
		delete(told, f.name)
	}
	for name := range told {
		t.Errorf("README.md tells of %s, which is no fixture", name)
	}
}

func TestFixturesHaveNamesOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range fixtures() {
		if seen[f.name] {
			t.Errorf("two fixtures are called %s", f.name)
		}
		seen[f.name] = true
		if len(f.config.Cmd) == 0 {
			t.Errorf("%s runs nothing", f.name)
		}
	}
}

func TestChoose(t *testing.T) {
	table := fixtures()
	if all, err := choose(table, []string{"all"}); err != nil || len(all) != len(table) {
		t.Errorf("all gives %d of %d fixtures, error %v", len(all), len(table), err)
	}
	if some, err := choose(table, []string{"musl", "exit0"}); err != nil || len(some) != 2 || some[0].name != "musl" {
		t.Errorf("two names give %v, error %v", some, err)
	}
	for _, names := range [][]string{nil, {"no-such"}, {"musl", "all"}} {
		if _, err := choose(table, names); err == nil {
			t.Errorf("choosing %q gives no error", names)
		}
	}
}

// TestTreeKeepsNames writes the hostile names and reads them back: the layer
// must hold exactly those bytes, or the fixture proves nothing.
func TestTreeKeepsNames(t *testing.T) {
	names := append(slices.Clone(hostileNames), strings.Repeat("n", 255), strings.Repeat(strings.Repeat("p", 250)+"/", 15)+"e")
	write := func() []byte {
		var made tree
		for _, name := range names {
			made.file("/hostile/"+name, 0o644, []byte("x"))
		}
		made.symlink("/link", "hostile")
		var out bytes.Buffer
		if err := made.write(&out); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	layer := write()
	if !bytes.Equal(layer, write()) {
		t.Error("the same tree gives two different layers")
	}
	found := map[string]byte{}
	for r := tar.NewReader(bytes.NewReader(layer)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := found[header.Name]; twice {
			t.Errorf("%q is in the layer twice", header.Name)
		}
		found[header.Name] = header.Typeflag
	}
	for _, name := range names {
		if found["hostile/"+name] != tar.TypeReg {
			t.Errorf("%q is not in the layer as a file", name)
		}
	}
	if found["hostile/"] != tar.TypeDir || found["link"] != tar.TypeSymlink {
		t.Error("the layer lacks the directory or the link")
	}
}
