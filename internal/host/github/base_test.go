package github

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/host/github/githubtest"
)

// repository makes a checkout with two commits, base and head, of one file
// each, and checks the head out.
func repository(t *testing.T, base, head map[string]string) (dir string, e Event) {
	t.Helper()
	dir = t.TempDir()
	run := func(args ...string) string {
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example"}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	run("init", "-q")
	var commits []string
	for _, files := range []map[string]string{base, head} {
		run("rm", "-rqf", "--ignore-unmatch", ".")
		for name, text := range files {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if target, isLink := strings.CutPrefix(text, "-> "); isLink {
				if err := os.Symlink(target, path); err != nil {
					t.Fatal(err)
				}
			} else if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		run("add", "-A", "-f")
		run("commit", "-q", "--allow-empty", "-m", "x")
		commits = append(commits, run("rev-parse", "HEAD"))
	}
	return dir, Event{Owner: "octo", Repo: "app", Pull: &Pull{Number: 7, BaseSHA: commits[0], HeadSHA: commits[1]}}
}

func noAPI() (*API, error) { return nil, errors.New("there is no API") }

// The base's file holds, whatever the head made of it.
func TestBaseOfACheckout(t *testing.T) {
	const policy, loose = "max-affected: 3\n", "max-affected: 1000\n"
	for name, c := range map[string]struct {
		base, head map[string]string
		path, want string
		missing    bool
		ignored    string
	}{
		"changed":          {map[string]string{".vexxy.yml": policy}, map[string]string{".vexxy.yml": loose}, ".vexxy.yml", policy, false, "as this pull request has it is ignored"},
		"the same":         {map[string]string{".vexxy.yml": policy}, map[string]string{".vexxy.yml": policy, "x": "y"}, ".vexxy.yml", policy, false, ""},
		"removed":          {map[string]string{".vexxy.yml": policy}, map[string]string{"x": ""}, ".vexxy.yml", policy, false, "is ignored"},
		"added":            {map[string]string{"x": ""}, map[string]string{".vexxy.yml": loose}, ".vexxy.yml", "", true, "has none"},
		"in a folder":      {map[string]string{"a/b/p.yml": policy}, map[string]string{"a/b/p.yml": loose}, "a/b/p.yml", policy, false, "is ignored"},
		"folder is gone":   {map[string]string{"a/b/p.yml": policy}, map[string]string{"x": ""}, "a/b/p.yml", policy, false, "is ignored"},
		"became a link":    {map[string]string{".vexxy.yml": policy, "l": ""}, map[string]string{".vexxy.yml": "-> l", "l": loose}, ".vexxy.yml", policy, false, "is ignored"},
		"folder is a link": {map[string]string{"a/p.yml": policy, "b/p.yml": ""}, map[string]string{"a": "-> b", "b/p.yml": loose}, "a/p.yml", policy, false, "is ignored"},
		"none":             {map[string]string{"x": ""}, map[string]string{"x": ""}, ".vexxy.yml", "", true, ""},
		"starts with :":    {map[string]string{":(top)p": policy}, map[string]string{":(top)p": loose}, ":(top)p", policy, false, "is ignored"},
		"a star":           {map[string]string{"pol.yml": policy}, map[string]string{"pol.yml": policy}, "p*.yml", "", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir, e := repository(t, c.base, c.head)
			t.Chdir(dir)
			b := NewBase(e, map[bool]string{true: "", false: dir}[len(name)%2 == 0], noAPI)
			data, err := b.ReadFile(c.path)
			if string(data) != c.want || errors.Is(err, fs.ErrNotExist) != c.missing || !c.missing && err != nil {
				t.Errorf("%q, %v", data, err)
			}
			ignored := strings.Join(b.Ignored(), "; ")
			if !strings.Contains(ignored, c.ignored) || c.ignored == "" && ignored != "" {
				t.Errorf("ignored: %q", ignored)
			}
		})
	}
}

// A link in the base is no file: neither its target's text nor its target.
func TestBaseIsALink(t *testing.T) {
	dir, e := repository(t, map[string]string{"p.yml": "-> /etc/hostname"}, map[string]string{"p.yml": "x"})
	t.Chdir(dir)
	data, err := NewBase(e, dir, noAPI).ReadFile("p.yml")
	if err == nil || data != nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%q, %v", data, err)
	}
}

// Outside of the workspace a file is what the workflow made it.
func TestOutsideOfTheWorkspace(t *testing.T) {
	dir, e := repository(t, map[string]string{"x": ""}, map[string]string{"inside.yml": "head's"})
	t.Chdir(dir)
	path := filepath.Join(t.TempDir(), "policy.yml")
	if err := os.WriteFile(path, []byte("ours"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := NewBase(e, dir, noAPI).ReadFile(path); err != nil || string(data) != "ours" {
		t.Errorf("%q, %v", data, err)
	}
	// A way in from outside is inside.
	link := filepath.Join(t.TempDir(), "link.yml")
	if err := os.Symlink(filepath.Join(dir, "inside.yml"), link); err != nil {
		t.Fatal(err)
	}
	if data, err := NewBase(e, dir, noAPI).ReadFile(link); err == nil {
		t.Errorf("the head's file was read: %q", data)
	}
}

// A shallow checkout has no base: the API gives it.
func TestBaseByTheAPI(t *testing.T) {
	s := githubtest.New()
	defer s.Close()
	api := func() (*API, error) { return client(t, s, githubtest.Token), nil }
	dir, e := repository(t, map[string]string{"x": ""}, map[string]string{".vexxy.yml": "head's"})
	e.Pull.BaseSHA = baseSHA
	t.Chdir(dir)
	s.Files[baseSHA+":.vexxy.yml"] = "base's"
	s.Fail("FILE", githubtest.Fault{Status: 502}, githubtest.Fault{Status: 429, Header: map[string]string{"Retry-After": "1"}})
	b := NewBase(e, dir, api)
	if data, err := b.ReadFile(".vexxy.yml"); err != nil || string(data) != "base's" || len(b.Ignored()) != 1 {
		t.Errorf("%q, %v, %q", data, err, b.Ignored())
	}
	if _, err := b.ReadFile("other.yml"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	// No checkout at all.
	empty := t.TempDir()
	t.Chdir(empty)
	if data, err := NewBase(e, empty, api).ReadFile(".vexxy.yml"); err != nil || string(data) != "base's" {
		t.Errorf("%q, %v", data, err)
	}
}

// Where the base cannot be looked at there is an error that says what to do,
// and never the head's file, nor none.
func TestBaseIsOutOfReach(t *testing.T) {
	s := githubtest.New()
	defer s.Close()
	dir, e := repository(t, map[string]string{"x": ""}, map[string]string{".vexxy.yml": "head's"})
	e.Pull.BaseSHA = baseSHA
	t.Chdir(dir)
	for name, api := range map[string]func() (*API, error){
		"no API":       noAPI,
		"not for this": func() (*API, error) { return client(t, s, githubtest.Token), nil }, // 404, and no commit
		"bad token":    func() (*API, error) { return client(t, s, "wrong"), nil },
		"down": func() (*API, error) {
			for range 30 {
				s.Fail("FILE", githubtest.Fault{Status: 500})
			}
			a := client(t, s, githubtest.Token)
			a.budget = 20 * time.Millisecond
			return a, nil
		},
	} {
		data, err := NewBase(e, dir, api).ReadFile(".vexxy.yml")
		if err == nil || errors.Is(err, fs.ErrNotExist) || data != nil || !strings.Contains(fault.HintOf(err), "contents: read") {
			t.Errorf("%s: %q, %v (%s)", name, data, err, fault.HintOf(err))
		}
	}
}

// A repository among the head's files is not asked.
func TestRepositoryInTheCheckout(t *testing.T) {
	dir, e := repository(t, map[string]string{"sub/p.yml": "base's"}, map[string]string{"x": ""})
	inner, _ := repository(t, map[string]string{"sub/p.yml": "evil"}, map[string]string{"x": ""})
	ran := filepath.Join(t.TempDir(), "ran")
	if err := os.WriteFile(filepath.Join(inner, ".git", "config"), []byte("[core]\nbare = true\nfsmonitor = touch "+ran+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(inner, ".git"), filepath.Join(dir, "sub")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	data, err := NewBase(e, dir, noAPI).ReadFile("sub/p.yml")
	if string(data) == "evil" {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("the head's repository ran a program")
	}
}
