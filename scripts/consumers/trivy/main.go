// Command trivy writes a vulnerability database of Trivy's (schema 2) from the
// advisory facts in testdata/advisories, without any network, so that Trivy
// finds in an image what vexxy has found there. Red Hat's are left out: Trivy
// looks for those by repositories and CPEs, which the facts lack.
//
//	go run . ADVISORIES CACHE
//
// writes CACHE/db/trivy.db anew, to be used with --cache-dir CACHE and
// --skip-db-update. It is for tests alone.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/aquasecurity/trivy-db/pkg/db"
	"github.com/aquasecurity/trivy-db/pkg/metadata"
	"github.com/aquasecurity/trivy-db/pkg/types"
	bolt "go.etcd.io/bbolt"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: trivy ADVISORIES CACHE")
	}
	from, dir := args[0], filepath.Join(args[1], "db")
	if err := os.Remove(db.Path(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := db.Init(dir); err != nil {
		return fmt.Errorf("opening %s: %w", db.Path(dir), err)
	}
	advisories := 0
	err := db.Config{}.BatchUpdate(func(tx *bolt.Tx) error {
		w := writer{tx: tx}
		for _, file := range []string{"debian-12.jsonl", "alpine.jsonl"} {
			if err := lines(filepath.Join(from, file), w.distributed); err != nil {
				return err
			}
		}
		for _, file := range []string{"ghsa.jsonl", "go.jsonl"} {
			if err := lines(filepath.Join(from, file), w.osv); err != nil {
				return err
			}
		}
		advisories = w.advisories
		return nil
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", db.Path(dir), err)
	}
	now := time.Now()
	if err := metadata.NewClient(dir).Update(metadata.Metadata{Version: db.SchemaVersion, UpdatedAt: now, DownloadedAt: now, NextUpdate: now.AddDate(1, 0, 0)}); err != nil {
		return err
	}
	fmt.Printf("%s: %d advisories\n", db.Path(dir), advisories)
	return nil
}

// lines gives each line of a file, one JSON object, to a function.
func lines[T any](path string, each func(T) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, 1<<20)
	for n := 1; scanner.Scan(); n++ {
		var v T
		err := json.Unmarshal(scanner.Bytes(), &v)
		if err == nil {
			err = each(v)
		}
		if err != nil {
			return fmt.Errorf("%s: line %d: %w", filepath.Base(path), n, err)
		}
	}
	return scanner.Err()
}

// writer writes advisories in one transaction.
type writer struct {
	tx         *bolt.Tx
	dbc        db.Config
	advisories int
}

// put writes one advisory on a package. Trivy wants its source, and some words
// on the vulnerability, beside it.
func (w *writer) put(bucket string, source types.DataSource, id, pkg, title string, a types.Advisory) error {
	w.advisories++
	return errors.Join(
		w.dbc.PutDataSource(w.tx, bucket, source),
		w.dbc.PutAdvisory(w.tx, []string{bucket, pkg}, id, &a),
		w.dbc.PutVulnerability(w.tx, id, types.Vulnerability{Title: title, Severity: types.SeverityMedium.String()}),
	)
}
