package gitlab

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

// Where the checkout does not have the target branch's commit, the API names the
// files of a folder.
func TestListByTheAPI(t *testing.T) {
	calls, nulled := 0, false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		w.Header().Set("Content-Type", "application/json")
		q := r.URL.Query()
		switch {
		case calls == 1:
			w.WriteHeader(http.StatusBadGateway)
		case r.URL.Path == "/api/v4/projects/11/repository/tree" && q.Get("path") == ".openvex" && q.Get("ref") == baseSHA:
			json.NewEncoder(w).Encode([]map[string]string{
				{"name": "a.json", "type": "blob", "mode": "100644"}, {"name": "templates", "type": "tree", "mode": "040000"}, {"name": "l.json", "type": "blob", "mode": "120000"},
			})
		case r.URL.Path == "/api/v4/projects/11/repository/tree" && q.Get("path") == "null" && !nulled:
			nulled = true
			w.Write([]byte("null"))
		case r.URL.Path == "/api/v4/projects/11/repository/tree" && q.Get("path") == "null":
			w.Write([]byte(`[{"name":"b.json","type":"blob","mode":"100644"}]`))
		case r.URL.Path == "/api/v4/projects/11/repository/tree" && q.Get("path") == "full":
			json.NewEncoder(w).Encode(make([]map[string]string, 100))
		case r.URL.Path == "/api/v4/projects/11/repository/files/afile/raw":
			w.Write([]byte("{}"))
		case strings.HasPrefix(r.URL.Path, "/api/v4/projects/11/repository/commits/"+baseSHA):
			w.Write([]byte(`{"id":"` + baseSHA + `"}`))
		default:
			w.WriteHeader(http.StatusNotFound)
			w.Write([]byte(`{"message":"404 Tree Not Found"}`))
		}
	}))
	defer server.Close()
	dir := t.TempDir()
	t.Chdir(dir)
	b := NewBase(Merge{Project: 11, IID: 7, BaseSHA: baseSHA, HeadSHA: headSHA}, dir, func() (*API, error) {
		api, err := NewAPI(env(map[string]string{"CI_API_V4_URL": server.URL + "/api/v4"}), "x")
		if err == nil {
			api.backoff, api.budget = time.Millisecond, 5*time.Second
		}
		return api, err
	})
	if names, err := b.List(".openvex"); err != nil || !slices.Equal(names, []string{"a.json"}) {
		t.Errorf("%q, %v", names, err)
	}
	if names, err := b.List("null"); err != nil || !slices.Equal(names, []string{"b.json"}) {
		t.Errorf("%q, %v", names, err)
	}
	if names, err := b.List("more"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%q, %v", names, err)
	}
	if names, err := b.List("afile"); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("%q, %v", names, err)
	}
	if names, err := b.List("full"); err == nil || fault.HintOf(err) == "" {
		t.Errorf("of a full page %q, %v", names, err)
	}
}
