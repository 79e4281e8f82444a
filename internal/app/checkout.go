package app

import (
	"errors"
	"io/fs"
	"os"

	"github.com/vexxy/action/internal/base"
)

// checkout is where a job's own files are read from. Of a change that is to be
// merged, what decides over it comes from the commit that it is to be merged
// into: no change loosens the policy that it is held to, brings commands of its
// own, or says itself what of it is new and what is not affected.
type checkout struct {
	base *base.Base // nil where there is no such change
}

// readFile reads the configuration file.
func (c checkout) readFile(path string) ([]byte, error) {
	if c.base == nil {
		return os.ReadFile(path)
	}
	return c.base.ReadFile(path)
}

// instead guards the baseline and people's statements: see baseline.Guard.
func (c checkout) instead(path string, max int64) ([]byte, bool, error) {
	if c.base == nil {
		return nil, false, nil
	}
	return c.base.Instead(path, max)
}

// list names the files of a folder that hold instead of those here: see
// triage.Options.
func (c checkout) list(dir string) (names []string, instead bool, err error) {
	if c.base == nil {
		return nil, false, nil
	}
	if names, err = c.base.List(dir); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return names, true, err
}

// ignored says which files of the change were not read: see base.Base.
func (c checkout) ignored() []string {
	if c.base == nil {
		return nil
	}
	return c.base.Ignored()
}
