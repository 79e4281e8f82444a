package base

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
)

// List names the files that a folder of the workspace has in the base commit.
// One that the commit has not, or that is outside of the workspace, is
// fs.ErrNotExist, one that is a file there syscall.ENOTDIR. Whatever it is
// here, in the head, does not matter.
func (b *Base) List(dir string) ([]string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if !b.inWorkspace(abs) {
		return nil, fs.ErrNotExist
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), timeout, fmt.Errorf("not done after %s", timeout))
	defer cancel()
	names, err := b.list(ctx, abs)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
		return nil, b.outOfReach(dir, err)
	}
	return names, err
}

func (b *Base) list(ctx context.Context, abs string) ([]string, error) {
	sha := b.change.Base
	root, err := b.checkout(ctx, filepath.Join(abs, "x"))
	if err == nil {
		if _, err := git(ctx, root, MaxFile, "cat-file", "-e", sha+"^{commit}"); err == nil {
			rel, err := filepath.Rel(root, abs)
			if err != nil {
				return nil, err
			}
			return listed(ctx, root, sha, filepath.ToSlash(rel))
		}
	} else {
		root = b.workspace
	}
	rel, err := filepath.Rel(root, abs)
	if err != nil || !filepath.IsLocal(rel) {
		return nil, fmt.Errorf("%s is not in the workspace", abs)
	}
	rel = filepath.ToSlash(rel)
	names, err := b.change.Folder(ctx, sha, rel)
	if errors.Is(err, fs.ErrNotExist) {
		if _, isFile := b.change.File(ctx, sha, rel); !errors.Is(isFile, fs.ErrNotExist) {
			err = cmp.Or(isFile, fmt.Errorf("%s: %w", rel, error(syscall.ENOTDIR)))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the checkout does not have it: %w", err)
	}
	return names, nil
}

// listed asks git.
func listed(ctx context.Context, root, sha, rel string) ([]string, error) {
	out, err := git(ctx, root, MaxFile, "ls-tree", "-z", "--full-tree", sha, "--", rel+"/")
	if err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, noFolder(ctx, root, sha, rel)
	}
	var names []string
	for entry := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		// MODE blob ID\tPATH: neither folders nor links.
		if mode, path, found := strings.Cut(entry, "\t"); found && strings.HasPrefix(mode, "100") {
			names = append(names, strings.TrimPrefix(path, rel+"/"))
		}
	}
	return names, nil
}

// noFolder says what a path without names is.
func noFolder(ctx context.Context, root, sha, rel string) error {
	out, err := git(ctx, root, MaxFile, "ls-tree", "-z", "--full-tree", sha, "--", rel)
	switch {
	case err != nil:
		return err
	case len(out) == 0:
		return fmt.Errorf("%s: %w", rel, fs.ErrNotExist)
	case strings.HasPrefix(string(out), "100"):
		return fmt.Errorf("%s: %w", rel, syscall.ENOTDIR)
	}
	return fmt.Errorf("%s is neither a folder nor a file there", rel)
}
