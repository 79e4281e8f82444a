package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	v6 "github.com/anchore/grype/grype/db/v6"
	"github.com/anchore/grype/grype/db/v6/distribution"
	"github.com/anchore/grype/grype/db/v6/installation"
	"github.com/spf13/afero"

	"github.com/vexxy/action/internal/fault"
)

// errAltered marks an installed database whose contents are not those that
// were installed.
var errAltered = errors.New("the file is not the one that was installed: it is damaged or was changed")

// errCache marks an error of the cache directory, not of the database.
var errCache = errors.New("using the database cache")

// checkInstalled compares an installed database with the digest that Grype took
// of it, and gives that digest. It is an error when the database was prepared by
// another version of the schema.
func checkInstalled(dir string) (string, error) {
	meta, err := v6.ReadImportMetadata(afero.NewOsFs(), dir)
	if err != nil {
		return "", err
	}
	want := fmt.Sprintf("v%d.%d.%d", v6.ModelVersion, v6.Revision, v6.Addition)
	if meta.ClientVersion != want {
		return "", fmt.Errorf("it was prepared for schema %s, not %s", meta.ClientVersion, want)
	}
	got, err := v6.CalculateDBDigest(afero.NewOsFs(), filepath.Join(dir, v6.VulnerabilityDBFileName))
	if err != nil {
		return "", err
	}
	if got != meta.Digest {
		return "", errAltered
	}
	return got, nil
}

// importOnce imports a file, an archive or a bare database, below cache in a
// directory named for its SHA-256, unless that was done before. It gives the
// digest of the file and the directory of the installed database.
func importOnce(ctx context.Context, file, cache string) (digest, dir string, err error) {
	sum, err := sha256File(ctx, file)
	if err != nil {
		return "", "", err
	}
	digest = "sha256:" + sum
	cache, err = filepath.Abs(cache)
	if err != nil {
		return "", "", cacheFault(err)
	}
	home := filepath.Join(cache, sum)
	dir = filepath.Join(home, fmt.Sprint(v6.ModelVersion))
	if _, err := checkInstalled(dir); err == nil {
		return digest, dir, nil
	}
	if err := os.MkdirAll(home, 0o700); err != nil {
		return "", "", cacheFault(err)
	}
	return digest, dir, install(ctx, file, home, "")
}

// install imports a file into home/6 in one step: it is unpacked and prepared
// beside it and then moved into place, so that a run that is stopped leaves no
// half database and two runs do not meet. from, where it is given, is written
// down as the database's origin.
func install(ctx context.Context, file, home, from string) error {
	staging, err := os.MkdirTemp(home, "import-")
	if err != nil {
		return cacheFault(err)
	}
	defer os.RemoveAll(staging)
	done := make(chan error, 1)
	go func() { done <- importInto(staging, file, from) }()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case err := <-done:
		if err != nil {
			return err
		}
	}
	model := fmt.Sprint(v6.ModelVersion)
	final := filepath.Join(home, model)
	if err := os.Rename(final, filepath.Join(staging, "old")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return cacheFault(err)
	}
	if err := os.Rename(filepath.Join(staging, model), final); err != nil {
		if _, checked := checkInstalled(final); checked == nil {
			return nil // another run was faster with the same file
		}
		return cacheFault(err)
	}
	return nil
}

// importInto lets Grype's curator import a file below root.
func importInto(root, file, from string) error {
	client, err := distribution.NewClient(distribution.DefaultConfig())
	if err != nil {
		return err
	}
	curator, err := installation.NewCurator(installation.Config{DBRootDir: root}, client)
	if err != nil {
		return err
	}
	if err := curator.Import(file); err != nil {
		return err
	}
	if from == "" {
		return nil
	}
	_, err = v6.WriteImportMetadata(afero.NewOsFs(), filepath.Join(root, fmt.Sprint(v6.ModelVersion)), from)
	return err
}

func cacheFault(err error) error {
	return fault.New(fault.Infra, "make the cache directory writable and give it room (several gigabytes for a whole database)",
		"%w: %w", errCache, err)
}

// sha256File gives a file's SHA-256 in hex.
func sha256File(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	buf := make([]byte, 1<<20)
	for {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		n, err := f.Read(buf)
		sum.Write(buf[:n])
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(sum.Sum(nil)), nil
		}
		if err != nil {
			return "", err
		}
	}
}
