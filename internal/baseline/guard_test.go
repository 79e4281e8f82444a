package baseline_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/report"
	"github.com/vexxy/action/internal/subject"
)

// The guard is asked of every file, those in folders too, and what it gives
// stands for them, whether they are there or not.
func TestGuard(t *testing.T) {
	one, err := report.Result(image("r/app:1", "r/app"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := report.Overall(report.Run{RunID: "1", Images: []report.Entry{{Requested: "r/app:1", Folder: "a"}, {Requested: "r/web:1", Folder: "b"}}})
	if err != nil {
		t.Fatal(err)
	}
	sub := subject.Subject{Requested: "r/app:1", Repository: "r/app", Platform: subject.Platform{OS: "linux", Architecture: "amd64"}}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "result.json"), "{}")
	write(t, filepath.Join(dir, "b", "result.json"), string(one))
	var asked []string
	guard := func(path string, _ int64) ([]byte, bool, error) {
		rel, err := filepath.Rel(dir, path)
		asked = append(asked, rel)
		switch rel {
		case "result.json":
			return all, true, err
		case filepath.Join("a", "result.json"):
			return one, true, err
		}
		return nil, false, err
	}
	set, err := baseline.OpenGuarded(dir, guard)
	if err != nil {
		t.Fatal(err)
	}
	if b := set.For(sub, false); !b.Usable() || len(b.Statements) != 1 {
		t.Errorf("problem %q", b.Problem)
	}
	if want := []string{"result.json", filepath.Join("a", "result.json"), filepath.Join("b", "result.json")}; !slices.Equal(asked, want) {
		t.Errorf("asked for %q, want %q", asked, want)
	}
	missing := filepath.Join(dir, "gone", "result.json")
	if set, err = baseline.OpenGuarded(missing, func(string, int64) ([]byte, bool, error) { return one, true, nil }); err != nil || !set.For(sub, true).Usable() {
		t.Errorf("a folder that is gone: %v", err)
	}
	refused := func(string, int64) ([]byte, bool, error) {
		return nil, false, fault.New(fault.Infra, "fetch it", "it is refused")
	}
	if _, err := baseline.OpenGuarded(dir, refused); err == nil || fault.HintOf(err) != "fetch it" || !strings.Contains(err.Error(), "it is refused") {
		t.Errorf("refused: %v", err)
	}
	long := func(string, int64) ([]byte, bool, error) { return make([]byte, 64<<20+1), true, nil }
	if _, err := baseline.OpenGuarded(dir, long); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("too long: %v", err)
	}
	if _, err := baseline.OpenGuarded(missing, func(string, int64) ([]byte, bool, error) { return nil, false, nil }); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing is there: %v", err)
	}
}
