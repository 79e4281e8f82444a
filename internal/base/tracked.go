package base

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vexxy/action/internal/fault"
)

// Instead gives the base commit's file, of at most max bytes, for one in the
// workspace that a change could bring along: one that the base commit or
// the head has. instead is false where the file is the job's own: outside
// of the workspace, or in it and in neither commit, as an artifact that it has
// downloaded. Of a file that the head alone has, or where it cannot be known,
// there is an error.
func (b *Base) Instead(path string, max int64) (data []byte, instead bool, err error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, false, err
	}
	if !b.inWorkspace(abs) {
		return nil, false, nil
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), timeout, fmt.Errorf("not done after %s", timeout))
	defer cancel()
	data, err = b.read(ctx, abs, max)
	switch {
	case err == nil && int64(len(data)) > max:
		return nil, false, fmt.Errorf("%s has more than %d bytes in the base commit", path, max)
	case err == nil:
		b.compare(path, abs, data, nil)
		return data, true, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, false, b.outOfReach(path, err)
	}
	inHead, err := b.inHead(ctx, abs)
	switch {
	case err != nil:
		return nil, false, fault.New(fault.Infra, "put the file outside of the workspace, such as in "+b.change.Outside, "looking for %s in this %s: %w", path, b.change.Name, err)
	case inHead:
		b.compare(path, abs, nil, fs.ErrNotExist)
		return nil, false, fault.New(fault.Usage, fmt.Sprintf("take it from where a %s cannot write, such as an artifact of the base branch", b.change.Name),
			"%s comes with this %s: the base commit %.12s has none", path, b.change.Name, b.change.Base)
	}
	return nil, false, nil
}

// inHead reports whether the change brings a file along. A link in the
// workspace is an error: where it leads may be the change's choice.
func (b *Base) inHead(ctx context.Context, abs string) (bool, error) {
	if link := b.link(abs); link != "" {
		return false, fmt.Errorf("%s is a link", link)
	}
	// Of a repository in a folder of the checkout, both are asked.
	roots := map[string]bool{}
	for _, path := range []string{abs, filepath.Join(b.workspace, "x")} {
		if root, err := b.checkout(ctx, path); err == nil {
			roots[root] = true
		}
	}
	asked := false
	for root := range roots {
		rel, err := filepath.Rel(root, abs)
		if err != nil || !filepath.IsLocal(rel) {
			continue
		}
		asked = true
		if has, err := b.tracked(ctx, root, filepath.ToSlash(rel)); has || err != nil {
			return has, err
		}
	}
	if asked {
		return false, nil
	}
	// Without a checkout of git's, the files may have been unpacked.
	rel, err := filepath.Rel(b.workspace, abs)
	if err != nil || !filepath.IsLocal(rel) {
		return false, fmt.Errorf("%s is not in the workspace", abs)
	}
	_, err = b.change.File(ctx, b.change.Head, filepath.ToSlash(rel))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// tracked reports whether a file is in the index, in the commit that is checked
// out (the merge of the change, as a rule) or in the head's.
func (b *Base) tracked(ctx context.Context, root, rel string) (bool, error) {
	lists := [][]string{{"ls-files", "--cached", "-z", "--", rel}, {"ls-tree", "-z", "--full-tree", "HEAD", "--", rel}}
	if _, err := git(ctx, root, MaxFile, "cat-file", "-e", b.change.Head+"^{commit}"); err == nil {
		lists = append(lists, []string{"ls-tree", "-z", "--full-tree", b.change.Head, "--", rel})
	}
	for _, list := range lists {
		if out, err := git(ctx, root, MaxFile, list...); err != nil || len(out) > 0 {
			return err == nil, err
		}
	}
	return false, nil
}

// link gives the first part of a path that is a symbolic link below the
// workspace or the working directory, empty for none.
func (b *Base) link(abs string) string {
	here, _ := filepath.Abs(".")
	at := string(filepath.Separator)
	for part := range strings.SplitSeq(strings.Trim(abs, at), at) {
		at = filepath.Join(at, part)
		info, err := os.Lstat(at)
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			continue
		}
		for _, root := range []string{b.workspace, here} {
			if rel, err := filepath.Rel(root, at); err == nil && filepath.IsLocal(rel) && rel != "." {
				return at
			}
		}
	}
	return ""
}
