package github

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/base"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/host/github/githubtest"
)

// What a pull request could bring along is the base's or refused; what neither
// commit has is the workflow's.
func TestInstead(t *testing.T) {
	const path, good, forged = "old/result.json", "the base's", "the head's"
	type files = map[string]string
	for name, c := range map[string]struct {
		base, head, put files
		want, refused   string // neither: read as it is
	}{
		"changed":              {files{path: good}, files{path: forged}, nil, good, ""},
		"the same":             {files{path: good}, files{path: good}, nil, good, ""},
		"removed":              {files{path: good}, files{"x": ""}, nil, good, ""},
		"removed and replaced": {files{path: good}, files{"x": ""}, files{path: forged}, good, ""},
		"became a link":        {files{path: good}, files{path: "-> x", "old/x": forged}, nil, good, ""},
		"added":                {files{"x": ""}, files{path: forged}, nil, "", "comes with this pull request"},
		"added and replaced":   {files{"x": ""}, files{path: forged}, files{path: "of a step"}, "", "comes with this pull request"},
		"added as a link":      {files{"x": ""}, files{path: "-> x", "old/x": forged}, nil, "", "is a link"},
		"in a linked folder":   {files{"x": ""}, files{"old": "-> new", "new/result.json": forged}, nil, "", "is a link"},
		"a link of the base":   {files{path: "-> /etc/hostname"}, files{"x": ""}, nil, "", "is no file there"},
		"downloaded":           {files{"x": ""}, files{"x": ""}, files{path: "an artifact"}, "", ""},
		"nowhere":              {files{"x": ""}, files{"x": ""}, nil, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir, e := repository(t, c.base, c.head)
			t.Chdir(dir)
			for path, text := range c.put {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			b := NewBase(e, dir, noAPI)
			data, instead, err := b.Instead(path, 100)
			if string(data) != c.want || instead != (c.want != "") || (err != nil) != (c.refused != "") {
				t.Fatalf("%q, %t, %v", data, instead, err)
			}
			if err != nil && (!strings.Contains(err.Error(), c.refused) || fault.HintOf(err) == "") {
				t.Errorf("%v (%s)", err, fault.HintOf(err))
			}
			told := strings.Join(b.Ignored(), "; ")
			changed := (c.refused == "" || strings.HasPrefix(c.refused, "comes")) && c.head[path] != c.base[path]
			if changed != strings.Contains(told, "is ignored") {
				t.Errorf("ignored: %q", told)
			}
		})
	}
}

// A file may be larger than a configuration, and not larger than is asked for.
func TestInsteadIsBounded(t *testing.T) {
	large := strings.Repeat("x", base.MaxFile+1)
	dir, e := repository(t, map[string]string{"r.json": large}, map[string]string{"r.json": large})
	t.Chdir(dir)
	b := NewBase(e, dir, noAPI)
	if data, instead, err := b.Instead("r.json", base.MaxFile+1); len(data) != len(large) || !instead || err != nil || len(b.Ignored()) != 0 {
		t.Errorf("%d bytes, %v, ignored %q", len(data), err, b.Ignored())
	}
	if data, _, err := b.Instead("r.json", base.MaxFile); data != nil || err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if _, err := b.ReadFile("r.json"); err == nil {
		t.Error("a configuration of this size is read")
	}
}

// Outside of the workspace a file is the workflow's, unless a way leads in.
func TestInsteadOutside(t *testing.T) {
	dir, e := repository(t, map[string]string{"x": ""}, map[string]string{"r.json": "forged"})
	t.Chdir(dir)
	b := NewBase(e, dir, noAPI)
	outside := t.TempDir()
	if data, instead, err := b.Instead(filepath.Join(outside, "r.json"), 100); data != nil || instead || err != nil {
		t.Errorf("%q, %t, %v", data, instead, err)
	}
	link := filepath.Join(outside, "link")
	if err := os.Symlink(filepath.Join(dir, "r.json"), link); err != nil {
		t.Fatal(err)
	}
	if data, instead, err := b.Instead(link, 100); data != nil || instead || err == nil {
		t.Errorf("by a link: %q, %t, %v", data, instead, err)
	}
}

// Without a checkout the API tells of both commits; where it does not, nothing
// is taken for the workflow's.
func TestInsteadByTheAPI(t *testing.T) {
	s := githubtest.New()
	defer s.Close()
	dir := t.TempDir()
	t.Chdir(dir)
	head := strings.Repeat("b", 40)
	e := Event{Owner: "octo", Repo: "app", Pull: &Pull{Number: 7, BaseSHA: baseSHA, HeadSHA: head}}
	s.Files[baseSHA+":both.json"], s.Files[head+":both.json"], s.Files[head+":new.json"] = "good", "forged", "forged"
	api := func() (*API, error) { return client(t, s, githubtest.Token), nil }
	b := NewBase(e, dir, api)
	if data, instead, err := b.Instead("both.json", 100); string(data) != "good" || !instead || err != nil {
		t.Errorf("both: %q, %t, %v", data, instead, err)
	}
	if _, instead, err := b.Instead("new.json", 100); instead || err == nil || !strings.Contains(err.Error(), "comes with this") {
		t.Errorf("new: %t, %v", instead, err)
	}
	if _, instead, err := b.Instead("artifact.json", 100); instead || err != nil {
		t.Errorf("neither: %t, %v", instead, err)
	}
	if _, _, err := NewBase(e, dir, noAPI).Instead("artifact.json", 100); err == nil {
		t.Error("without an API a file is taken for the workflow's")
	}
	e.Pull.HeadSHA = strings.Repeat("c", 40)
	if _, _, err := NewBase(e, dir, api).Instead("artifact.json", 100); err == nil {
		t.Error("a head that is not known has no such file")
	}
}

// What a repository in a folder of the checkout has, such as a submodule that
// the head names, came by its commit; what lies beside that did not.
func TestInsteadInASubmodule(t *testing.T) {
	s := githubtest.New()
	defer s.Close()
	dir, e := repository(t, map[string]string{"x": ""}, map[string]string{"x": "y"})
	inner, _ := repository(t, map[string]string{"a": ""}, map[string]string{"r.json": "forged"})
	if err := os.Rename(inner, filepath.Join(dir, "sub")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sub", "artifact.json"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	s.Files[e.Pull.BaseSHA+":x"] = ""
	b := NewBase(e, dir, func() (*API, error) { return client(t, s, githubtest.Token), nil })
	if _, instead, err := b.Instead("sub/r.json", 100); instead || err == nil || !strings.Contains(err.Error(), "comes with this") {
		t.Errorf("of the submodule: %t, %v", instead, err)
	}
	if _, instead, err := b.Instead("sub/artifact.json", 100); instead || err != nil {
		t.Errorf("beside it: %t, %v", instead, err)
	}
}
