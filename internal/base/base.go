// Package base reads files as they are in the commit that a change, a pull or
// merge request, is to be merged into. What a change brings must not decide over
// itself: neither its policy nor the commands that run on this machine are taken
// from its head.
package base

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
)

// Change is what Base has to know of a change and its host.
type Change struct {
	// Name is the host's for it: "pull request".
	Name string
	// Base is the commit that it is to be merged into, Head its own.
	Base, Head string
	// File gives a file of a commit, by its path from the top, where the checkout
	// does not have it; fs.ErrNotExist where it is sure that the commit has none.
	File func(ctx context.Context, commit, path string) ([]byte, error)
	// Folder names the files of a folder of a commit, likewise.
	Folder func(ctx context.Context, commit, path string) ([]string, error)
	// Fetch says how to have the base commit, Outside where a file is out of a
	// change's reach, such as in a folder of the runner's.
	Fetch, Outside string
}

// Base reads the files of the base. Files outside of the workspace were put
// there by the job, and are read as they are.
type Base struct {
	change    Change
	workspace string
	ignored   []string
}

// New reads the base of a change: from the checkout where it has that commit,
// else by the host. Where the job has no workspace the working directory stands
// for it.
func New(c Change, workspace string) *Base {
	if !filepath.IsAbs(workspace) {
		workspace, _ = filepath.Abs(workspace)
	}
	return &Base{change: c, workspace: workspace}
}

const (
	timeout = time.Minute
	// MaxFile is the largest file that is read as a configuration, in bytes:
	// beyond what one may have.
	MaxFile = 2 << 20
)

// Ignored says which files of the head were not read though they differ from
// the base's, a sentence for each.
func (b *Base) Ignored() []string { return b.ignored }

// ReadFile is os.ReadFile in the base commit. A file that the commit has not is
// fs.ErrNotExist; where the commit cannot be looked at there is a fault, and
// never the head's file.
func (b *Base) ReadFile(path string) ([]byte, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if !b.inWorkspace(abs) {
		return os.ReadFile(path)
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), timeout, fmt.Errorf("not done after %s", timeout))
	defer cancel()
	data, err := b.read(ctx, abs, MaxFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, b.outOfReach(path, err)
	}
	b.compare(path, abs, data, err)
	return data, err
}

func (b *Base) outOfReach(path string, err error) error {
	return fault.New(fault.Infra, b.change.Fetch,
		"reading %s of the base commit %.12s: %w", path, b.change.Base, err)
}

// compare notes when the head has another file than the base.
func (b *Base) compare(path, abs string, data []byte, err error) {
	head, headErr := readBounded(abs, max(MaxFile, int64(len(data))+1<<20))
	switch {
	case headErr != nil && errors.Is(headErr, fs.ErrNotExist) == errors.Is(err, fs.ErrNotExist) && err != nil:
	case headErr == nil && err == nil && bytes.Equal(normal(head), normal(data)):
	case err != nil:
		b.ignored = append(b.ignored, fmt.Sprintf("%s of this %s is ignored until it is merged: the base commit %.12s has none", path, b.change.Name, b.change.Base))
	default:
		b.ignored = append(b.ignored, fmt.Sprintf("%s as this %s has it is ignored until it is merged: the one of the base commit %.12s holds", path, b.change.Name, b.change.Base))
	}
}

// normal forgives a checkout's line ends.
func normal(text []byte) []byte { return bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")) }

func readBounded(path string, max int64) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, max))
}

// inWorkspace reports whether a path is below the workspace or the working
// directory, by name or in truth.
func (b *Base) inWorkspace(path string) bool {
	var roots []string
	here, _ := filepath.Abs(".")
	for _, root := range []string{b.workspace, here} {
		roots = append(roots, root)
		if real, err := filepath.EvalSymlinks(root); err == nil {
			roots = append(roots, real)
		}
	}
	paths := []string{path}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		paths = append(paths, real)
	} else if real, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		paths = append(paths, filepath.Join(real, filepath.Base(path)))
	}
	for _, root := range roots {
		for _, p := range paths {
			if rel, err := filepath.Rel(root, p); err == nil && filepath.IsLocal(rel) {
				return true
			}
		}
	}
	return false
}

func (b *Base) read(ctx context.Context, abs string, max int64) ([]byte, error) {
	sha := b.change.Base
	root, err := b.checkout(ctx, abs)
	if err == nil {
		if _, err := git(ctx, root, MaxFile, "cat-file", "-e", sha+"^{commit}"); err == nil {
			rel, err := filepath.Rel(root, abs)
			if err != nil {
				return nil, err
			}
			return fromCheckout(ctx, root, sha, filepath.ToSlash(rel), max)
		}
	} else {
		root = b.workspace
	}
	// Where the checkout is in a folder of the workspace, its top is known;
	// without a checkout the workspace stands for it.
	rel, err := filepath.Rel(root, abs)
	if err != nil || !filepath.IsLocal(rel) {
		return nil, fmt.Errorf("%s is not in the workspace", abs)
	}
	data, err := b.change.File(ctx, sha, filepath.ToSlash(rel))
	if err != nil {
		return nil, fmt.Errorf("the checkout does not have it: %w", err)
	}
	return data, nil
}

// checkout gives the top folder of the checkout that a path is in.
func (b *Base) checkout(ctx context.Context, path string) (string, error) {
	dir := filepath.Dir(path)
	for {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			break
		}
		dir = filepath.Dir(dir)
	}
	if real, err := filepath.EvalSymlinks(dir); err != nil || real != dir {
		dir = b.workspace // a link of the head's leads nowhere
	}
	out, err := git(ctx, dir, MaxFile, "rev-parse", "--show-toplevel")
	if err != nil {
		return "", err
	}
	top := strings.TrimSuffix(string(out), "\n")
	if rel, err := filepath.Rel(top, path); err != nil || !filepath.IsLocal(rel) {
		return "", fmt.Errorf("%s is not in %s", path, top)
	}
	return top, nil
}

func fromCheckout(ctx context.Context, root, sha, rel string, max int64) ([]byte, error) {
	listed, err := git(ctx, root, MaxFile, "ls-tree", "-z", "--full-tree", sha, "--", rel)
	if err != nil {
		return nil, err
	}
	if len(listed) == 0 {
		return nil, fmt.Errorf("%s: %w", rel, fs.ErrNotExist)
	}
	// MODE blob ID\tPATH: neither a folder nor a link.
	if !bytes.HasPrefix(listed, []byte("100")) {
		return nil, fmt.Errorf("%s is no file there", rel)
	}
	size, err := git(ctx, root, MaxFile, "cat-file", "-s", sha+":"+rel)
	if err != nil {
		return nil, err
	}
	if n, err := strconv.ParseInt(strings.TrimSpace(string(size)), 10, 64); err != nil || n > max {
		return nil, fmt.Errorf("%s has more than %d bytes there", rel, max)
	}
	return git(ctx, root, max, "cat-file", "blob", sha+":"+rel)
}

// git runs a command that reads, and takes an answer of at most max bytes.
// Nothing that lies in the checkout can make it run a program or fetch anything:
// no replaced objects, no repositories that are part of the checkout's files.
func git(ctx context.Context, dir string, max int64, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{
		"--no-replace-objects", "--literal-pathspecs",
		"-c", "safe.directory=*", "-c", "safe.bareRepository=explicit", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null",
		"-C", dir,
	}, args...)...)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "LC_ALL=C",
		"GIT_NO_LAZY_FETCH=1", "GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0", "GIT_CONFIG_NOSYSTEM=1",
	}
	out, complaint := &answer{max: max}, &bytes.Buffer{} // of git's own words, which are few
	cmd.Stdout, cmd.Stderr = out, complaint
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case int64(len(out.got)) > max:
		return nil, fmt.Errorf("git %s: more than %d bytes", args[0], max)
	case errors.As(err, &exit):
		return nil, fmt.Errorf("git %s: %s", args[0], foreign.Text(strings.TrimSpace(complaint.String())).Line(300))
	}
	return out.got, err
}

// answer takes one byte more than it may, and then no more.
type answer struct {
	got []byte
	max int64
}

func (a *answer) Write(p []byte) (int, error) {
	if room := max(0, a.max+1-int64(len(a.got))); int64(len(p)) > room {
		a.got = append(a.got, p[:room]...)
		return int(room), errors.New("it is more than is read")
	}
	a.got = append(a.got, p...)
	return len(p), nil
}
