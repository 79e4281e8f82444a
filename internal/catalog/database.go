package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	v6 "github.com/anchore/grype/grype/db/v6"
	"github.com/anchore/grype/grype/vulnerability"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/inventory"
)

// pathHint says what the vulnerability-db input takes.
const pathHint = "--vulnerability-db takes a Grype v6 database: an archive (vulnerability-db_v6….tar.zst), or the directory of an installed one"

// DatabaseOptions say which vulnerability database to open.
type DatabaseOptions struct {
	// Path is a local archive, or a directory with an installed database.
	// Empty: Grype's own cache, updated as Grype would.
	Path string
	// CacheDir is where an archive given by Path is imported, keyed by its
	// digest. Empty: vexxy/db in the user's cache directory.
	CacheDir string
	// NoUpdate uses Grype's cache as it is and never asks the network.
	NoUpdate bool
	// Getenv looks up Grype's own variables (GRYPE_DB_CACHE_DIR,
	// GRYPE_DB_UPDATE_URL, GRYPE_DB_CA_CERT, GRYPE_DB_AUTO_UPDATE). Nil: os.Getenv.
	Getenv func(string) string
}

// Matcher matches packages with one vulnerability database, read-only. Its
// methods may be called from several goroutines.
type Matcher struct {
	mu       sync.Mutex // one query at a time: the store shares one page cache
	reader   v6.Reader
	provider vulnerability.Provider
	identity inventory.Database
	warning  string
	dir      string
}

// OpenDatabase opens a vulnerability database and checks it against the digest
// that was taken when it was installed. A database given by path is never
// updated, and the directory is never written to. How old the database may be
// is not judged here. Errors carry fault.Usage when the path is wrong or what is
// there is not a database, and fault.Infra when none is cached and none can be
// had from the network.
func OpenDatabase(ctx context.Context, o DatabaseOptions) (*Matcher, error) {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.Path != "" {
		return openPath(ctx, o)
	}
	return openCached(ctx, o)
}

// Database identifies the database.
func (m *Matcher) Database() inventory.Database { return m.identity }

// Dir is the folder of the installed database, for a program that reads a copy
// of it: vulnerability.db, and import.json with its digest.
func (m *Matcher) Dir() string { return m.dir }

// Warning says in a line why a cached database could not be brought up to date;
// it is empty when nothing went wrong.
func (m *Matcher) Warning() string { return m.warning }

// Close ends all use of the database.
func (m *Matcher) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.provider.Close(); err != nil {
		return fmt.Errorf("closing the vulnerability database: %w", err)
	}
	return nil
}

// openPath opens what the user named.
func openPath(ctx context.Context, o DatabaseOptions) (*Matcher, error) {
	bad := func(err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fault.New(fault.Usage, pathHint, "opening the vulnerability database %q: %w", o.Path, err)
	}
	info, err := os.Stat(o.Path)
	if err != nil {
		return nil, bad(err)
	}
	from := o.Path
	if info.IsDir() {
		dir, err := installedBelow(o.Path)
		if err != nil {
			return nil, bad(err)
		}
		digest, err := checkInstalled(dir)
		if err == nil {
			m, err := open(dir, inventory.Database{Digest: digest, From: o.Path})
			if err != nil {
				return nil, bad(err)
			}
			return m, nil
		}
		if errors.Is(err, errAltered) {
			return nil, bad(err)
		}
		// not prepared by this version of Grype, which adds tables and indexes
		// in place: work on a copy
		from = filepath.Join(dir, v6.VulnerabilityDBFileName)
	} else if !info.Mode().IsRegular() {
		return nil, bad(errors.New("it is neither a file nor a directory"))
	} else if info.Size() == 0 {
		return nil, bad(errors.New("the file is empty"))
	}
	cache := o.CacheDir
	if cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return nil, fault.New(fault.Infra, "set XDG_CACHE_HOME or HOME", "finding the cache directory: %w", err)
		}
		cache = filepath.Join(base, "vexxy", "db")
	}
	digest, dir, err := importOnce(ctx, from, cache)
	if err != nil {
		if errors.Is(err, errCache) {
			return nil, err
		}
		return nil, bad(err)
	}
	m, err := open(dir, inventory.Database{Digest: digest, From: o.Path})
	if err != nil {
		return nil, bad(err)
	}
	return m, nil
}

// installedBelow finds the installed database in a directory as Grype lays it
// out: the file itself, or the folder named for the schema's model.
func installedBelow(dir string) (string, error) {
	for _, d := range []string{dir, filepath.Join(dir, fmt.Sprint(v6.ModelVersion))} {
		info, err := os.Stat(filepath.Join(d, v6.VulnerabilityDBFileName))
		if err == nil && info.Mode().IsRegular() {
			return filepath.Abs(d)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("the directory holds no %s", v6.VulnerabilityDBFileName)
}

// open reads an installed database's identity and makes it ready for matching.
// A database without a single vulnerability is an error: it would pass any image.
func open(dir string, identity inventory.Database) (*Matcher, error) {
	if strings.ContainsAny(dir, "?#%") {
		return nil, fmt.Errorf("the directory %q has a character that SQLite's file names cannot hold (?, # or %%)", dir)
	}
	reader, err := v6.NewReader(v6.Config{DBDirPath: dir})
	if err != nil {
		return nil, err
	}
	m := &Matcher{reader: reader, provider: v6.NewVulnerabilityProvider(reader), identity: identity, dir: dir}
	if err := m.describe(); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// describe fills in the identity from the database's own metadata.
func (m *Matcher) describe() error {
	meta, err := m.reader.GetDBMetadata()
	if err != nil {
		return err
	}
	if meta == nil || meta.BuildTimestamp == nil {
		return errors.New("it does not say when it was built")
	}
	m.identity.Schema = fmt.Sprintf("v%d.%d.%d", meta.Model, meta.Revision, meta.Addition)
	m.identity.Built = meta.BuildTimestamp.UTC()
	some, err := m.reader.GetVulnerabilities(nil, &v6.GetVulnerabilityOptions{Limit: 1})
	if err != nil && !errors.Is(err, v6.ErrLimitReached) {
		return err
	}
	if len(some) == 0 {
		return errors.New("it holds no vulnerability")
	}
	return nil
}
