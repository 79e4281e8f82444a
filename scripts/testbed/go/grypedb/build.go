package main

import (
	"archive/tar"
	"fmt"
	"os"
	"path/filepath"
	"time"

	v6 "github.com/anchore/grype/grype/db/v6"
	"github.com/anchore/grype/grype/db/v6/distribution"
	"github.com/anchore/grype/grype/db/v6/installation"
	"github.com/klauspost/compress/zstd"
)

// build makes the database, packed and installed.
func build(records, out string) error {
	in, err := readRecords(records)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "grypedb-")
	if err != nil {
		return fmt.Errorf("making a directory: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := write(dir, in); err != nil {
		return fmt.Errorf("writing the database: %w", err)
	}
	www := filepath.Join(out, "www/v6")
	if err := os.MkdirAll(www, 0o755); err != nil {
		return fmt.Errorf("making a directory: %w", err)
	}
	archive := filepath.Join(www, fmt.Sprintf("vulnerability-db_v%d.%d.%d_bed.tar.zst", v6.ModelVersion, v6.Revision, v6.Addition))
	if err := pack(filepath.Join(dir, v6.VulnerabilityDBFileName), archive); err != nil {
		return fmt.Errorf("packing the database: %w", err)
	}
	if err := list(archive, in.Built); err != nil {
		return fmt.Errorf("listing the database: %w", err)
	}
	return install(archive, filepath.Join(out, "installed"))
}

// write makes the file in dir, with the input's time in the place of today's.
func write(dir string, in input) error {
	w, err := v6.NewWriter(v6.Config{DBDirPath: dir})
	if err != nil {
		return err
	}
	providers, published := map[string]*v6.Provider{}, in.Built.AddDate(0, -1, 0)
	for _, r := range in.Records {
		p := providers[r.Provider]
		if p == nil {
			p = &v6.Provider{ID: r.Provider, Version: "1", Processor: "bed", DateCaptured: &in.Built, InputDigest: "xxh64:0"}
			providers[r.Provider] = p
		}
		vulnerability := r.vulnerability(p, published)
		if err := w.AddVulnerabilities(vulnerability); err != nil {
			return fmt.Errorf("adding %s: %w", r.ID, err)
		}
		if r.Package == "" {
			continue
		}
		if err := w.AddAffectedPackages(r.affected(vulnerability)); err != nil {
			return fmt.Errorf("adding %s of %s: %w", r.ID, r.Package, err)
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	low, err := v6.NewLowLevelDB(filepath.Join(dir, v6.VulnerabilityDBFileName), false, true, false)
	if err != nil {
		return err
	}
	if err := low.Exec("UPDATE db_metadata SET build_timestamp = ?", in.Built).Error; err != nil {
		return err
	}
	raw, err := low.DB()
	if err != nil {
		return err
	}
	return raw.Close()
}

// pack makes the archive that a client downloads.
func pack(database, archive string) error {
	data, err := os.ReadFile(database)
	if err != nil {
		return err
	}
	f, err := os.Create(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := zstd.NewWriter(f)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: filepath.Base(database), Size: int64(len(data)), Mode: 0o644}); err != nil {
		return err
	}
	if _, err := t.Write(data); err != nil {
		return err
	}
	if err := t.Close(); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return f.Close()
}

// list writes the listing that names the archive, beside it.
func list(archive string, built time.Time) error {
	a, err := distribution.NewArchive(archive, built, v6.ModelVersion, v6.Revision, v6.Addition)
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(filepath.Dir(archive), distribution.LatestFileName))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := distribution.NewLatestDocument(*a).Write(f); err != nil {
		return err
	}
	return f.Close()
}

// install imports the archive as Grype does, with its indexes, and checks it.
func install(archive, dir string) error {
	client, err := distribution.NewClient(distribution.DefaultConfig())
	if err != nil {
		return fmt.Errorf("installing the database: %w", err)
	}
	curator, err := installation.NewCurator(installation.Config{DBRootDir: dir}, client)
	if err != nil {
		return fmt.Errorf("installing the database: %w", err)
	}
	if err := curator.Import(archive); err != nil {
		return fmt.Errorf("installing the database: %w", err)
	}
	if err := curator.Status().Error; err != nil {
		return fmt.Errorf("checking the installed database: %w", err)
	}
	return nil
}
