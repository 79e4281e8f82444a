package record_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/record"
)

// TestTamper changes, cuts, removes or replaces each file in turn.
func TestTamper(t *testing.T) {
	attacks := map[string]func(path string) error{
		"bit": func(path string) error {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			data[len(data)/2] ^= 1
			return os.WriteFile(path, data, 0o644)
		},
		"cut": func(path string) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			return os.Truncate(path, info.Size()/2)
		},
		"symlink": func(path string) error {
			return errors.Join(os.Rename(path, path+".real"), os.Symlink(filepath.Base(path)+".real", path))
		},
		"pipe": func(path string) error {
			return errors.Join(os.Remove(path), exec.Command("mkfifo", path).Run())
		},
		"removed": os.Remove,
	}
	r := sample(4)
	dir := write(t, &r)
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) != 10 {
		t.Fatalf("%d files in the record, %v", len(names), err)
	}
	for attack, do := range attacks {
		for _, name := range append(names, filepath.Join(dir, "raw", "profile.json")) {
			if filepath.Base(name) == "raw" {
				continue
			}
			rel, _ := filepath.Rel(dir, name)
			t.Run(attack+"/"+rel, func(t *testing.T) {
				r := sample(4)
				victim := write(t, &r)
				if err := do(filepath.Join(victim, rel)); err != nil {
					t.Fatal(err)
				}
				_, err := record.Read(victim)
				want := fault.Integrity
				if attack == "removed" && rel == "SHA256SUMS" {
					want = fault.Usage // not a record at all
				}
				if code := fault.CodeOf(t.Context(), err); code != want {
					t.Errorf("Read: %v with code %d, want %d", err, code, want)
				}
			})
		}
	}
}

// TestConsistentForgery rewrites files together with their checksums.
func TestConsistentForgery(t *testing.T) {
	for name, c := range map[string]struct {
		file, old, new string
		want           fault.Code
		hint           string
	}{
		"newer schema":     {"run.json", `"schema": 1`, `"schema": 2`, fault.Usage, "1.0.0"},
		"unknown field":    {"evidence.json", `"engine":`, `"tampered": 1, "engine":`, fault.Integrity, "edited"},
		"missing line":     {"packages.jsonl", `"id":"p0"`, "\n", fault.Integrity, ""},
		"second value":     {"subject.json", "}\n}\n", "}\n}\n{}\n", fault.Integrity, ""},
		"no subject":       {"subject.json", "sha256:" + strings.Repeat("a", 64), "", fault.Integrity, ""},
		"observation kept": {"evidence.json", `"observations": 8`, `"observations": 7`, fault.Integrity, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := sample(4)
			dir := write(t, &r)
			path := filepath.Join(dir, c.file)
			data, err := os.ReadFile(path)
			if err != nil || !bytes.Contains(data, []byte(c.old)) {
				t.Fatalf("%s holds no %q: %v", c.file, c.old, err)
			}
			if err := os.WriteFile(path, bytes.Replace(data, []byte(c.old), []byte(c.new), 1), 0o644); err != nil {
				t.Fatal(err)
			}
			resum(t, dir)
			_, err = record.Read(dir)
			if code := fault.CodeOf(t.Context(), err); code != c.want || !strings.Contains(fault.HintOf(err), c.hint) {
				t.Errorf("Read: %v, code %d, hint %q", err, code, fault.HintOf(err))
			}
		})
	}
}

// resum makes SHA256SUMS fit the files again, as a forger would.
func resum(t *testing.T, dir string) {
	t.Helper()
	sums := filepath.Join(dir, "SHA256SUMS")
	old, err := os.ReadFile(sums)
	if err != nil {
		t.Fatal(err)
	}
	var fresh bytes.Buffer
	for line := range strings.Lines(string(old)) {
		_, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&fresh, "%x  %s\n", sha256.Sum256(data), name)
	}
	if err := os.WriteFile(sums, fresh.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestSumsNameOnlyFilesOfARecord(t *testing.T) {
	for _, name := range []string{"../secret", "/etc/passwd", "raw/../../secret", "raw/.hidden", "raw/", "SHA256SUMS", "other.json"} {
		r := sample(1)
		dir := write(t, &r)
		f, err := os.OpenFile(filepath.Join(dir, "SHA256SUMS"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(f, "%s  %s\n", strings.Repeat("0", 64), name)
		f.Close()
		if _, err := record.Read(dir); fault.CodeOf(t.Context(), err) != fault.Integrity {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	r := sample(2)
	dir := write(f, &r)
	for _, name := range []string{"run.json", "subject.json", "inventory.json", "packages.jsonl", "findings.jsonl", "evidence.json", "observations.jsonl", "SHA256SUMS"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(name, data)
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		r := sample(2)
		dir := write(t, &r)
		if filepath.Base(name) != name {
			return
		}
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil || name == "raw" {
			return
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
		if name != "SHA256SUMS" {
			resum(t, dir)
		}
		got, err := record.Read(dir)
		if err != nil {
			return
		}
		// What can be read can be written, and is then read as the same.
		copied := filepath.Join(t.TempDir(), "record")
		if err := record.Write(copied, &got); err != nil {
			t.Fatal(err)
		}
		again, err := record.Read(copied)
		if err != nil || !reflect.DeepEqual(got, again) {
			t.Errorf("a record that was read is written and read differently: %v", err)
		}
	})
}

// All files of a record together have a bound, beside that of each; a list that
// would take far more memory than its text is none.
func TestReadIsBounded(t *testing.T) {
	r := sample(50)
	dir := write(t, &r)
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	got, used, err := record.ReadIn(root, 1<<30)
	if err != nil || got.Digest != r.Digest {
		t.Fatalf("%v, %s", err, got.Digest)
	}
	if got, _, err := record.ReadIn(root, used); err != nil || got.Digest != r.Digest {
		t.Errorf("with just enough: %v", err)
	}
	if _, _, err := record.ReadIn(root, used-1); fault.CodeOf(t.Context(), err) != fault.Integrity {
		t.Errorf("with a byte too few: %v", err)
	}
	n := 2<<20 + 1
	if err := os.WriteFile(filepath.Join(dir, "packages.jsonl"), bytes.Repeat([]byte("{}\n"), n), 0o644); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "inventory.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Replace(text, []byte(`"packages": 50`), fmt.Appendf(nil, `"packages": %d`, n), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	resum(t, dir)
	if _, err := record.Read(dir); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("has %d lines, at most", n)) {
		t.Errorf("two million packages: %v", err)
	}
}
