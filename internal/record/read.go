package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strings"
	"syscall"

	"github.com/vexxy/action/internal/fault"
)

// Read reads the record in the folder dir. Nothing in it is trusted: sizes are
// bounded, symbolic links and special files are refused, every file must have
// the checksum that SHA256SUMS states (fault.Integrity), the schema must be
// this program's (fault.Usage).
//
// The checksums find damage. Against forgery the record's digest must be
// compared with one from a signed document.
func Read(dir string) (Record, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Record{}, fault.New(fault.Usage, whereHint, "reading record: %w", err)
	}
	defer root.Close()
	r, _, err := ReadIn(root, math.MaxInt64)
	return r, err
}

const whereHint = "name the folder of a record, such as vexxy-results/record"

// ReadIn is Read of a folder that is open already. most bounds all of the
// record's files together, in bytes; used is what they have.
func ReadIn(root *os.Root, most int64) (r Record, used int64, err error) {
	sums, err := slurp(root, sumsFile, most)
	if errors.Is(err, fs.ErrNotExist) {
		return Record{}, 0, fault.New(fault.Usage, whereHint, "reading record: %s has no %s", root.Name(), sumsFile)
	}
	if err != nil {
		return Record{}, 0, broken(err)
	}
	want, err := parseSums(sums)
	if err != nil {
		return Record{}, 0, broken(err)
	}
	used = int64(len(sums))
	files := make(map[string][]byte, len(want))
	for name, sum := range want {
		data, err := slurp(root, name, most-used)
		if err != nil {
			return Record{}, used, broken(err)
		}
		if got := sha256.Sum256(data); hex.EncodeToString(got[:]) != sum {
			return Record{}, used, broken(fmt.Errorf("%s does not have the checksum in %s", name, sumsFile))
		}
		files[name] = data
		used += int64(len(data))
	}
	if err := checkSchema(files[runFile]); err != nil {
		return Record{}, used, err
	}
	if r, err = decode(files); err != nil {
		return Record{}, used, broken(err)
	}
	r.Digest = digestOf(sums)
	return r, used, nil
}

func broken(err error) error {
	return fault.New(fault.Integrity, "take the record from where it was made again; it must not be edited", "reading record: %w", err)
}

// checkSchema refuses a record of another layout before anything else of it is
// decoded.
func checkSchema(run []byte) error {
	var v struct {
		Schema  int    `json:"schema"`
		Version string `json:"version"`
	}
	if err := json.Unmarshal(run, &v); err != nil {
		return broken(fmt.Errorf("decoding %s: %w", runFile, err))
	}
	if v.Schema != Schema {
		return fault.New(fault.Usage, fmt.Sprintf("replay it with the version of vexxy that made it (%.40q)", v.Version),
			"reading record: its schema is %d, this version reads %d", v.Schema, Schema)
	}
	return nil
}

// parseSums reads SHA256SUMS strictly: exactly the files that a record has,
// sorted, each once.
func parseSums(sums []byte) (map[string]string, error) {
	want := map[string]string{}
	last := ""
	for line := range bytes.Lines(sums) {
		text, ended := strings.CutSuffix(string(line), "\n")
		sum, name, ok := strings.Cut(text, "  ")
		raw, err := hex.DecodeString(sum)
		if !ended || !ok || err != nil || len(raw) != sha256.Size || sum != strings.ToLower(sum) || name <= last {
			return nil, fmt.Errorf("%s has a line that is not understood: %.100q", sumsFile, text)
		}
		if _, known := limitOf(name); !known || name == sumsFile {
			return nil, fmt.Errorf("%s names a file that no record has: %.100q", sumsFile, name)
		}
		want[name], last = sum, name
		if len(want) > rawFiles+len(limits) {
			return nil, fmt.Errorf("%s names too many files", sumsFile)
		}
	}
	for name := range limits {
		if _, ok := want[name]; !ok && name != sumsFile {
			return nil, fmt.Errorf("%s does not name %s", sumsFile, name)
		}
	}
	return want, nil
}

// slurp reads one regular file within its limit and that of all. O_NONBLOCK keeps a pipe that
// comes in its place meanwhile from holding the open call.
func slurp(root *os.Root, name string, most int64) ([]byte, error) {
	limit, _ := limitOf(name)
	limit = min(limit, most)
	if info, err := root.Lstat(name); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s has %d bytes, at most %d are allowed", name, info.Size(), limit)
	}
	var data bytes.Buffer
	data.Grow(int(info.Size()))
	if n, err := io.Copy(&data, io.LimitReader(f, limit+1)); err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	} else if n > limit {
		return nil, fmt.Errorf("%s is longer than %d bytes", name, limit)
	}
	return data.Bytes(), nil
}
