package catalog_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/catalog"
	it "github.com/vexxy/action/internal/catalog/catalogtest"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/inventory"
)

var built = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// zlibFlaw is an advisory of a source package.
var zlibFlaw = it.Advisory{ID: "CVE-2026-27171", Severity: "critical", Package: "zlib", Release: "debian 12", State: "wont-fix"}

func noEnv(string) string { return "" }

func open(t testing.TB, o catalog.DatabaseOptions) *catalog.Matcher {
	t.Helper()
	if o.Getenv == nil {
		o.Getenv = noEnv
	}
	m, err := catalog.OpenDatabase(context.Background(), o)
	if err != nil {
		t.Fatalf("%v (hint: %s)", err, fault.HintOf(err))
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// An archive is imported below the cache directory once, by its digest.
func TestDatabaseArchive(t *testing.T) {
	archive, cache := it.Database(t, built, zlibFlaw), t.TempDir()
	m := open(t, catalog.DatabaseOptions{Path: archive, CacheDir: cache})
	data, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	digest := hex.EncodeToString(sum[:])
	want := inventory.Database{Schema: "v6.1.4", Built: built, Digest: "sha256:" + digest, From: archive}
	if m.Database() != want {
		t.Errorf("database = %+v, want %+v", m.Database(), want)
	}
	db := filepath.Join(cache, digest, "6", "vulnerability.db")
	before, err := os.Stat(db)
	if err != nil {
		t.Fatal(err)
	}
	open(t, catalog.DatabaseOptions{Path: archive, CacheDir: cache})
	after, err := os.Stat(db)
	if err != nil || !os.SameFile(before, after) || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the archive was imported again (%v)", err)
	}
	left, err := os.ReadDir(filepath.Join(cache, digest))
	if err != nil || len(left) != 1 {
		t.Errorf("the import left %v (%v)", left, err)
	}
}

// installed imports an archive and gives the directory as Grype lays it out.
func installed(t testing.TB, advisories ...it.Advisory) string {
	t.Helper()
	cache := t.TempDir()
	open(t, catalog.DatabaseOptions{Path: it.Database(t, built, advisories...), CacheDir: cache})
	found, err := filepath.Glob(filepath.Join(cache, "*", "6"))
	if err != nil || len(found) != 1 {
		t.Fatalf("installed databases: %v, %v", found, err)
	}
	return filepath.Dir(found[0])
}

// A directory is used in place, both as the cache and as the folder within it,
// and may be read-only.
func TestDatabaseDirectory(t *testing.T) {
	root := installed(t, zlibFlaw)
	for _, dir := range []string{filepath.Join(root, "6"), root} {
		if err := os.Chmod(dir, 0o555); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Chmod(dir, 0o755) })
	}
	for _, path := range []string{root, filepath.Join(root, "6")} {
		cache := t.TempDir()
		m := open(t, catalog.DatabaseOptions{Path: path, CacheDir: cache})
		if d := m.Database(); !strings.HasPrefix(d.Digest, "xxh64:") || d.From != path || !d.Built.Equal(built) {
			t.Errorf("database = %+v", d)
		}
		if used, err := os.ReadDir(cache); err != nil || len(used) != 0 {
			t.Errorf("a copy was made: %v, %v", used, err)
		}
	}
}

// A database that another version of Grype prepared is copied, not changed.
func TestDatabaseOfAnotherVersion(t *testing.T) {
	root := installed(t, zlibFlaw)
	note := filepath.Join(root, "6", "import.json")
	data, err := os.ReadFile(note)
	if err != nil {
		t.Fatal(err)
	}
	old := strings.Replace(string(data), "v6.1.4", "v6.0.1", 1)
	if old == string(data) {
		t.Fatalf("no version in %s", data)
	}
	if err := os.WriteFile(note, []byte(old), 0o644); err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	m := open(t, catalog.DatabaseOptions{Path: root, CacheDir: cache})
	if d := m.Database(); !strings.HasPrefix(d.Digest, "sha256:") || d.From != root {
		t.Errorf("database = %+v", d)
	}
	if now, err := os.ReadFile(note); err != nil || string(now) != old {
		t.Errorf("the directory was changed: %s, %v", now, err)
	}
}

func TestBadDatabases(t *testing.T) {
	dir := t.TempDir()
	write := func(name, body string) string {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
		return p
	}
	whole, err := os.ReadFile(it.Database(t, built, zlibFlaw))
	if err != nil {
		t.Fatal(err)
	}
	altered := installed(t, zlibFlaw)
	f, err := os.OpenFile(filepath.Join(altered, "6", "vulnerability.db"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	for name, path := range map[string]string{
		"missing":         filepath.Join(dir, "nowhere.tar.zst"),
		"empty file":      write("empty.tar.zst", ""),
		"not an archive":  write("text.tar.zst", "hello"),
		"cut archive":     write("cut.tar.zst", string(whole[:len(whole)/2])),
		"empty database":  it.Database(t, built),
		"empty directory": t.TempDir(),
		"not a database":  filepath.Dir(write("other/vulnerability.db", "hello")),
		"zero bytes":      filepath.Dir(write("zero/vulnerability.db", "")),
		"altered":         altered,
		"a device":        os.DevNull,
	} {
		m, err := catalog.OpenDatabase(context.Background(), catalog.DatabaseOptions{Path: path, CacheDir: t.TempDir(), Getenv: noEnv})
		if err == nil {
			m.Close()
			t.Errorf("%s: no error", name)
			continue
		}
		if fault.CodeOf(context.Background(), err) != fault.Usage || !strings.Contains(fault.HintOf(err), "--vulnerability-db") {
			t.Errorf("%s: error %v, code %d, hint %q", name, err, fault.CodeOf(context.Background(), err), fault.HintOf(err))
		}
	}
}

// A cache that cannot be written to is the machine's fault, not the database's.
func TestUnwritableCache(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := catalog.OpenDatabase(context.Background(), catalog.DatabaseOptions{Path: it.Database(t, built, zlibFlaw), CacheDir: filepath.Join(blocked, "cache"), Getenv: noEnv})
	if fault.CodeOf(context.Background(), err) != fault.Infra {
		t.Errorf("error %v", err)
	}
}

// mirror serves a listing and an archive as Grype's server does.
type mirror struct {
	archive  string
	checksum string
	asked    []string
}

func (s *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked = append(s.asked, r.URL.Path)
	switch r.URL.Path {
	case "/databases/v6/latest.json":
		json.NewEncoder(w).Encode(map[string]string{
			"status": "active", "schemaVersion": "v6.1.4", "built": built.Format(time.RFC3339),
			"path": "db.tar.zst", "checksum": s.checksum,
		})
	case "/databases/v6/db.tar.zst":
		http.ServeFile(w, r, s.archive)
	default:
		http.NotFound(w, r)
	}
}

// serve starts a mirror and gives the environment that points to it.
func serve(t *testing.T) (*mirror, func(string) string) {
	t.Helper()
	archive := it.Database(t, built, zlibFlaw)
	data, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	s := &mirror{archive: archive, checksum: "sha256:" + hex.EncodeToString(sum[:])}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	cache := t.TempDir()
	return s, func(name string) string {
		return map[string]string{"GRYPE_DB_CACHE_DIR": cache, "GRYPE_DB_UPDATE_URL": server.URL + "/databases"}[name]
	}
}

func TestDatabaseDownload(t *testing.T) {
	s, env := serve(t)
	m := open(t, catalog.DatabaseOptions{Getenv: env})
	want := inventory.Database{Schema: "v6.1.4", Built: built, Digest: s.checksum, From: env("GRYPE_DB_UPDATE_URL") + "/v6/db.tar.zst"}
	if m.Database() != want || m.Warning() != "" {
		t.Errorf("database = %+v, warning %q, want %+v", m.Database(), m.Warning(), want)
	}
	asked := len(s.asked)
	open(t, catalog.DatabaseOptions{Getenv: env})
	if len(s.asked) != asked {
		t.Errorf("a fresh database was asked for again: %v", s.asked)
	}
	left, err := filepath.Glob(filepath.Join(env("GRYPE_DB_CACHE_DIR"), "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("left in the cache: %v", left)
	}
	// without the note of the last check it asks, and does not download again
	if err := os.Remove(filepath.Join(env("GRYPE_DB_CACHE_DIR"), "6", "last_update_check")); err != nil {
		t.Fatal(err)
	}
	open(t, catalog.DatabaseOptions{Getenv: env})
	if !slices.Equal(s.asked[asked:], []string{"/databases/v6/latest.json"}) {
		t.Errorf("asked %v", s.asked[asked:])
	}
}

func TestDatabaseOffline(t *testing.T) {
	s, env := serve(t)
	offline := func(name string) string {
		if name == "GRYPE_DB_UPDATE_URL" {
			return "http://127.0.0.1:1"
		}
		return env(name)
	}
	for _, o := range []catalog.DatabaseOptions{{Getenv: offline}, {Getenv: env, NoUpdate: true}} {
		_, err := catalog.OpenDatabase(context.Background(), o)
		if fault.CodeOf(context.Background(), err) != fault.Infra || !strings.Contains(fault.HintOf(err), "--vulnerability-db") {
			t.Errorf("without a database: %v, hint %q", err, fault.HintOf(err))
		}
	}
	if len(s.asked) != 0 {
		t.Errorf("asked %v", s.asked)
	}
	open(t, catalog.DatabaseOptions{Getenv: env})
	if err := os.Remove(filepath.Join(env("GRYPE_DB_CACHE_DIR"), "6", "last_update_check")); err != nil {
		t.Fatal(err)
	}
	if m := open(t, catalog.DatabaseOptions{Getenv: offline}); m.Warning() == "" || m.Database().Digest != s.checksum {
		t.Errorf("with a cached database: %+v, warning %q", m.Database(), m.Warning())
	}
}

// A wrong archive is refused and nothing of it stays.
func TestDatabaseWrongDigest(t *testing.T) {
	s, env := serve(t)
	s.checksum = "sha256:" + strings.Repeat("0", 64)
	_, err := catalog.OpenDatabase(context.Background(), catalog.DatabaseOptions{Getenv: env})
	if err == nil || !strings.Contains(err.Error(), "digest") {
		t.Errorf("error %v", err)
	}
	left, globErr := filepath.Glob(filepath.Join(env("GRYPE_DB_CACHE_DIR"), "*"))
	if globErr != nil || len(left) != 0 {
		t.Errorf("left in the cache: %v", left)
	}
}

// A server that never answers does not outlive the run.
func TestDatabaseCancelled(t *testing.T) {
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(context.Background())
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		cancel(stop)
		<-release
	}))
	defer server.Close()
	defer close(release)
	cache := t.TempDir()
	_, err := catalog.OpenDatabase(ctx, catalog.DatabaseOptions{Getenv: func(name string) string {
		return map[string]string{"GRYPE_DB_CACHE_DIR": cache, "GRYPE_DB_UPDATE_URL": server.URL}[name]
	}})
	if !errors.Is(err, stop) {
		t.Errorf("error %v, want the context's cause", err)
	}
}
