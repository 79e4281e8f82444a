package main

import (
	"bytes"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/vexxy/action/internal/fault"
)

func readme(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestFilesAgree holds action.yml, the component and README.md to the program's
// inputs and to each other.
func TestFilesAgree(t *testing.T) {
	files, err := written("../..")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 3 {
		t.Errorf("%d files", len(files))
	}
	for path, want := range files {
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the program says: go run ./scripts/docs", path)
		}
	}
}

// TestReadmeHasTheExitCodes holds the rows of the table of exit codes against
// the codes themselves.
func TestReadmeHasTheExitCodes(t *testing.T) {
	_, section, _ := bytes.Cut(readme(t), []byte("## Exit codes\n"))
	section, _, _ = bytes.Cut(section, []byte("\n## "))
	told := map[fault.Code]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| ([0-9, ]+) \|`).FindAllSubmatch(section, -1) {
		for _, number := range regexp.MustCompile(`[0-9]+`).FindAll(row[1], -1) {
			code, err := strconv.Atoi(string(number))
			if err != nil {
				t.Fatal(err)
			}
			told[fault.Code(code)] = true
		}
	}
	all := []fault.Code{
		fault.Pass, fault.Internal, fault.GateFailed, fault.Usage, fault.Inconclusive, fault.Infra, fault.Integrity,
		fault.Attest, fault.Publish, fault.Deadline, fault.Interrupted, fault.Terminated,
	}
	for _, code := range all {
		if !told[code] {
			t.Errorf("README.md has no row for exit code %d", code)
		}
		delete(told, code)
	}
	for code := range told {
		t.Errorf("README.md has a row for %d, which is no exit code", code)
	}
}

func TestMarksAreNeeded(t *testing.T) {
	for _, text := range []string{"", "begin", "end", "no marks"} {
		if _, err := between([]byte(text), "begin", "end", "x"); err == nil {
			t.Errorf("between(%q) gives no error", text)
		}
	}
}
