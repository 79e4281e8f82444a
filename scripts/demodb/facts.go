package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// facts are all that goes into the database.
type facts struct {
	date       time.Time
	advisories []advisory
	exploited  []exploited
	scores     []score
}

// advisory is one vulnerability with the packages that it is in.
type advisory struct {
	id, provider   string
	aliases        []string
	text, url      string
	severity, cvss string // "" when unknown; cvss is a vector
	packages       []affected
}

// affected is one package with its vulnerable ranges.
type affected struct {
	ecosystem, name string
	release         release // of a distribution's package
	format          string  // of the versions: dpkg, apk, rpm, go, semver, python
	ranges          []span
}

// span is one vulnerable range.
type span struct {
	constraint string // "" is every version
	fix, state string
}

// release is a release of a distribution.
type release struct{ name, major, minor, codename string }

// exploited is an entry of CISA's catalog (its JSON names).
type exploited struct {
	CVE        string   `json:"cveID"`
	Vendor     string   `json:"vendorProject"`
	Product    string   `json:"product"`
	Added      string   `json:"dateAdded"`
	Due        string   `json:"dueDate"`
	Action     string   `json:"requiredAction"`
	Ransomware string   `json:"knownRansomwareCampaignUse"`
	Notes      string   `json:"notes"`
	CWEs       []string `json:"cwes"`
}

// score is a probability of exploitation.
type score struct {
	CVE  string  `json:"cve"`
	EPSS float64 `json:"epss"`
}

// readFacts reads a directory of facts. Every file but the distributions' must
// be there, and every line must be understood.
func readFacts(dir string) (facts, error) {
	var f facts
	day, err := os.ReadFile(filepath.Join(dir, "date"))
	if err != nil {
		return f, err
	}
	if f.date, err = time.Parse("2006-01-02", strings.TrimSpace(string(day))); err != nil {
		return f, err
	}
	distributions, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil {
		return f, err
	}
	var upstream []osv
	for _, path := range distributions {
		switch filepath.Base(path) {
		case "epss.jsonl":
			f.scores, err = lines[score](path)
		case "go.jsonl", "ghsa.jsonl":
			var records []osv
			records, err = lines[osv](path)
			upstream = append(upstream, records...)
		default:
			var records []distributed
			if records, err = lines[distributed](path); err == nil {
				f.advisories, err = fromDistribution(f.advisories, records)
			}
		}
		if err != nil {
			return f, fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
	}
	ours, err := fromOSV(upstream)
	if err != nil {
		return f, err
	}
	f.advisories = append(f.advisories, ours...)
	f.exploited, err = readExploited(filepath.Join(dir, "kev.json"))
	if err == nil && len(f.advisories) == 0 {
		err = errors.New("no advisory")
	}
	return f, err
}

// readExploited reads CISA's catalog; it may be missing.
func readExploited(path string) ([]exploited, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var catalog struct {
		Vulnerabilities []exploited `json:"vulnerabilities"`
	}
	if err := json.Unmarshal(data, &catalog); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return catalog.Vulnerabilities, nil
}

// lines reads a file of one JSON object a line.
func lines[T any](path string) ([]T, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var out []T
	scanner := bufio.NewScanner(bytes.NewReader(data))
	scanner.Buffer(nil, 1<<20)
	for n := 1; scanner.Scan(); n++ {
		var record T
		if err := json.Unmarshal(scanner.Bytes(), &record); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		out = append(out, record)
	}
	return out, scanner.Err()
}
