package cluster

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	kind "sigs.k8s.io/kind/pkg/cluster"
)

// nodeLogs writes what kind collects of the nodes: their consoles, /var/log
// and the engine's view of them. kind writes it as it is, without an end in
// sight; it goes through a folder of its own.
func (c *Cluster) nodeLogs(ctx context.Context, b *bundle) {
	raw, err := os.MkdirTemp(c.options.Dir, "logs-")
	if err != nil {
		b.miss("node logs", err)
		return
	}
	defer os.RemoveAll(raw)
	done := make(chan error, 1)
	go func() { done <- kind.NewProvider(c.engine.option).CollectLogs(c.Name, raw) }()
	select {
	case err := <-done:
		// A node without systemd has no journal, which is no news.
		if err != nil && !strings.Contains(err.Error(), "journalctl") {
			b.miss("node logs", errors.New(brief(err.Error())))
		}
	case <-ctx.Done():
		b.miss("node logs", context.Cause(ctx))
	}
	b.miss("node logs", filepath.WalkDir(raw, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		// Kubernetes's own folders hold each pod's log a second time.
		name, err := filepath.Rel(raw, path)
		if err != nil || strings.Contains(name, "/containers/") || strings.Contains(name, "/pods/") {
			return err
		}
		data, err := readEnd(path)
		if err == nil && len(data) > 0 {
			b.write(filepath.Join("nodes", name), data)
		}
		return err
	}))
}
