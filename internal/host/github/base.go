package github

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

	gh "github.com/google/go-github/v60/github"

	"github.com/vexxy/action/internal/fault"
)

// Base reads files as they are in the commit that a pull request is to be
// merged into. What a pull request brings must not decide over itself: neither
// its policy nor the commands that run on this machine are taken from its head.
// Files outside of the workspace were put there by the workflow, and are read
// as they are.
type Base struct {
	event     Event
	api       func() (*API, error)
	workspace string
	ignored   []string
}

// NewBase reads the base of the event's pull request: from the checkout where
// it has that commit, else by the API. Where the job has no workspace the
// working directory stands for it.
func NewBase(e Event, workspace string, api func() (*API, error)) *Base {
	if !filepath.IsAbs(workspace) {
		workspace, _ = filepath.Abs(workspace)
	}
	return &Base{event: e, api: api, workspace: workspace}
}

const (
	baseTimeout = time.Minute
	maxFile     = 2 << 20 // beyond what a configuration may have
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
	ctx, cancel := context.WithTimeoutCause(context.Background(), baseTimeout, fmt.Errorf("not done after %s", baseTimeout))
	defer cancel()
	data, err := b.read(ctx, abs, maxFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, b.outOfReach(path, err)
	}
	b.compare(path, abs, data, err)
	return data, err
}

func (b *Base) outOfReach(path string, err error) error {
	return fault.New(fault.Infra, "fetch the base commit (actions/checkout with fetch-depth: 0), or add `contents: read` to the job's permissions",
		"reading %s of the base commit %.12s: %w", path, b.event.Pull.BaseSHA, err)
}

// compare notes when the head has another file than the base.
func (b *Base) compare(path, abs string, data []byte, err error) {
	head, headErr := readBounded(abs, max(maxFile, int64(len(data))+1<<20))
	switch {
	case headErr != nil && errors.Is(headErr, fs.ErrNotExist) == errors.Is(err, fs.ErrNotExist) && err != nil:
	case headErr == nil && err == nil && bytes.Equal(normal(head), normal(data)):
	case err != nil:
		b.ignored = append(b.ignored, fmt.Sprintf("%s of this pull request is ignored until it is merged: the base commit %.12s has none", path, b.event.Pull.BaseSHA))
	default:
		b.ignored = append(b.ignored, fmt.Sprintf("%s as this pull request has it is ignored until it is merged: the one of the base commit %.12s holds", path, b.event.Pull.BaseSHA))
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
	sha := b.event.Pull.BaseSHA
	root, err := b.checkout(ctx, abs)
	if err == nil {
		if _, err := git(ctx, root, maxFile, "cat-file", "-e", sha+"^{commit}"); err == nil {
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
	api, err := b.api()
	if err != nil {
		return nil, fmt.Errorf("the checkout does not have it: %w", err)
	}
	return api.file(ctx, b.event, sha, filepath.ToSlash(rel))
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
	out, err := git(ctx, dir, maxFile, "rev-parse", "--show-toplevel")
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
	listed, err := git(ctx, root, maxFile, "ls-tree", "-z", "--full-tree", sha, "--", rel)
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
	size, err := git(ctx, root, maxFile, "cat-file", "-s", sha+":"+rel)
	if err != nil {
		return nil, err
	}
	if n, err := strconv.ParseInt(strings.TrimSpace(string(size)), 10, 64); err != nil || n > max {
		return nil, fmt.Errorf("%s has more than %d bytes there", rel, max)
	}
	return git(ctx, root, max, "cat-file", "blob", sha+":"+rel)
}

// git runs a command that reads, and takes an answer of at most max bytes. Nothing that lies in the checkout can make it
// run a program or fetch anything: no replaced objects, no repositories that
// are part of the checkout's files.
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
	out, err := cmd.Output()
	if int64(len(out)) > max {
		return nil, fmt.Errorf("git %s: more than %d bytes", args[0], max)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, fmt.Errorf("git %s: %s", args[0], text(strings.TrimSpace(string(exit.Stderr)), 300))
	}
	return out, err
}

// file reads a file of a commit. To a token that may not see it GitHub answers
// as to a file that is not there: which of both, the commit tells.
func (a *API) file(ctx context.Context, e Event, sha, path string) ([]byte, error) {
	p := patience{until: time.Now().Add(a.budget), next: a.backoff}
	for {
		data, f := a.tryFile(ctx, e, sha, path)
		switch f.kind {
		case answered:
			return data, nil
		case passing, limited:
			if err := p.wait(ctx, f); err != nil {
				return nil, err
			}
			continue
		case missing:
			ctx, cancel := a.once(ctx)
			defer cancel()
			if _, _, err := a.client.Git.GetCommit(ctx, e.Owner, e.Repo, sha); err == nil {
				return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
			}
		}
		return nil, errors.New(f.what)
	}
}

func (a *API) tryFile(ctx context.Context, e Event, sha, path string) ([]byte, failure) {
	ctx, cancel := a.once(ctx)
	defer cancel()
	content, _, _, err := a.client.Repositories.GetContents(ctx, e.Owner, e.Repo, path, &gh.RepositoryContentGetOptions{Ref: sha})
	if err != nil {
		return nil, fail(err)
	}
	if content == nil || content.GetType() != "file" {
		return nil, failure{kind: refused, what: path + " is no file there"}
	}
	body, err := content.GetContent()
	if err != nil {
		return nil, failure{kind: refused, what: text(err.Error(), 200)}
	}
	if len(body) == 0 && content.GetSize() > 0 {
		return nil, failure{kind: refused, what: path + " is too large for the API"}
	}
	return []byte(body), failure{kind: answered}
}
