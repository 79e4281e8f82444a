package main

import (
	"archive/tar"
	"errors"
	"os"
	"time"

	v6 "github.com/anchore/grype/grype/db/v6"
	"github.com/anchore/grype/grype/db/v6/distribution"
	"github.com/anchore/grype/grype/db/v6/installation"
	"github.com/klauspost/compress/zstd"
)

// pack writes the archive that Grype imports, in one step.
func pack(db, archive string, date time.Time) (err error) {
	data, err := os.ReadFile(db)
	if err != nil {
		return err
	}
	tmp := archive + ".part"
	f, err := os.Create(tmp)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err == nil {
			err = os.Rename(tmp, archive)
		}
	}()
	z, err := zstd.NewWriter(f, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	header := &tar.Header{Typeflag: tar.TypeReg, Name: v6.VulnerabilityDBFileName, Size: int64(len(data)), Mode: 0o644, ModTime: date}
	if err := t.WriteHeader(header); err != nil {
		return err
	}
	if _, err := t.Write(data); err != nil {
		return err
	}
	return errors.Join(t.Close(), z.Close())
}

// install imports the archive into dir as Grype does, and checks the result as
// Grype does on start.
func install(archive, dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	client, err := distribution.NewClient(distribution.DefaultConfig())
	if err != nil {
		return err
	}
	curator, err := installation.NewCurator(installation.Config{DBRootDir: dir, ValidateChecksum: true}, client)
	if err != nil {
		return err
	}
	if err := curator.Import(archive); err != nil {
		return err
	}
	return curator.Status().Error
}
