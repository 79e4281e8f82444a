package base

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What a repository answers is bounded while it is read, and not afterwards.
func TestGitIsBounded(t *testing.T) {
	dir := t.TempDir()
	content := bytes.Repeat([]byte("x"), 100_000)
	if err := os.WriteFile(filepath.Join(dir, "file"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "file"}} {
		if out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	if got, err := git(t.Context(), dir, int64(len(content)), "cat-file", "blob", ":file"); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if got, err := git(t.Context(), dir, int64(len(content))-1, "cat-file", "blob", ":file"); err == nil || !strings.Contains(err.Error(), "more than 99999 bytes") {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	a := answer{max: 10}
	for range 5 {
		_, _ = a.Write([]byte("0123"))
	}
	if len(a.got) != 11 {
		t.Errorf("it took %d bytes", len(a.got))
	}
	if _, err := git(t.Context(), dir, 10, "cat-file", "blob", ":none"); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("what git says is lost: %v", err)
	}
}
