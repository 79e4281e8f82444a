package github

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vexxy/action/internal/fault"
)

// A folder's files are those of the base commit: by the checkout, or by the API
// where that does not have the commit.
func TestList(t *testing.T) {
	type files = map[string]string
	dir, e := repository(t, files{".openvex/a.json": "{}", ".openvex/sub/c.json": "{}", ".openvex/l.json": "-> a.json"}, files{".openvex/b.json": "{}"})
	t.Chdir(dir)
	b := NewBase(e, dir, noAPI)
	if names, err := b.List(".openvex"); err != nil || !slices.Equal(names, []string{"a.json"}) {
		t.Errorf("%q, %v", names, err)
	}
	for _, absent := range []string{".openvex/templates", "../elsewhere", ".openvex/b.json"} {
		if names, err := b.List(absent); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %q, %v", absent, names, err)
		}
	}
	e.Pull.BaseSHA = strings.Repeat("1", 40)
	if _, err := NewBase(e, dir, noAPI).List(".openvex"); err == nil || errors.Is(err, fs.ErrNotExist) || fault.HintOf(err) == "" {
		t.Errorf("without commit and API: %v", err)
	}

	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		switch {
		case calls == 1:
			w.WriteHeader(http.StatusBadGateway)
		case r.URL.Path == "/repos/octo/app/contents/.openvex" && r.URL.Query().Get("ref") == e.Pull.BaseSHA:
			json.NewEncoder(w).Encode([]map[string]string{{"type": "file", "name": "x.json"}, {"type": "dir", "name": "templates"}, {"type": "symlink", "name": "l.json"}})
		case r.URL.Path == "/repos/octo/app/contents/full":
			json.NewEncoder(w).Encode(make([]map[string]string, 1000))
		case r.URL.Path == "/repos/octo/app/contents/afile":
			json.NewEncoder(w).Encode(map[string]string{"type": "file", "name": "afile", "encoding": "base64", "content": "e30="})
		case strings.HasPrefix(r.URL.Path, "/repos/octo/app/git/commits/"+e.Pull.BaseSHA):
			w.Write([]byte(`{"sha":"` + e.Pull.BaseSHA + `"}`))
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()
	b = NewBase(e, dir, func() (*API, error) {
		api, err := NewAPI(func(string) string { return server.URL }, "x")
		if err == nil {
			api.backoff, api.budget = time.Millisecond, 5*time.Second
		}
		return api, err
	})
	if names, err := b.List(".openvex"); err != nil || !slices.Equal(names, []string{"x.json"}) {
		t.Errorf("by the API: %q, %v", names, err)
	}
	if names, err := b.List("more"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("by the API: %q, %v", names, err)
	}
	if names, err := b.List("afile"); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("by the API: %q, %v", names, err)
	}
	if names, err := b.List("full"); err == nil || fault.HintOf(err) == "" {
		t.Errorf("by the API, of a full page: %q, %v", names, err)
	}
}
