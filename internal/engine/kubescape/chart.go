package kubescape

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/cli"
	"helm.sh/helm/v3/pkg/registry"

	"github.com/vexxy/action/internal/fault"
)

// ChartSource names a Helm chart and what is laid over its values.
type ChartSource struct {
	// Chart is a folder, an archive, oci://REGISTRY/NAME, or the URL of a
	// repository followed by the chart's name. The last two are asked for
	// Version; the first two must be of it, unless it is empty.
	Chart, Version string
	// Digest is what the archive's SHA-256 must be, as "sha256:…"; empty
	// allows any.
	Digest string
	// Values are files of values.
	Values []string
}

const chartHint = "name a chart's archive or folder, a repository's URL with the chart's name, or oci://…; an air-gapped machine needs an archive"

// loaded is a chart in memory.
type loaded struct {
	*chart.Chart
	// path is where it was read from.
	path string
	// digest is the archive's, empty for a folder.
	digest string
}

// load fetches a chart into dir, checks its digest and reads it.
func (s ChartSource) load(ctx context.Context, dir string) (loaded, error) {
	file, err := s.fetch(ctx, dir)
	if err != nil {
		return loaded{}, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return loaded{}, fault.New(fault.Usage, chartHint, "reading chart: %w", err)
	}
	var digest string
	if !info.IsDir() {
		if digest, err = sum(file); err != nil {
			return loaded{}, fault.New(fault.Infra, "", "reading chart: %w", err)
		}
	}
	if s.Digest != "" && s.Digest != digest {
		got := digest
		if got == "" {
			got = "a folder, which has none"
		}
		return loaded{}, fault.New(fault.Integrity, "find out why the chart has changed before you trust another digest",
			"chart %s: its digest is %s, not %s", s.Chart, got, s.Digest)
	}
	// Helm bounds what it unpacks.
	c, err := loader.Load(file)
	if err != nil {
		return loaded{}, fault.New(fault.Usage, chartHint, "reading chart %s: %w", s.Chart, err)
	}
	if s.Version != "" && s.local() && c.Metadata.Version != s.Version {
		return loaded{}, fault.New(fault.Usage, "name the version that it has by chart-version, or leave chart-version away",
			"reading chart %s: it is of version %s, not %s", s.Chart, text(c.Metadata.Version), s.Version)
	}
	return loaded{c, file, digest}, nil
}

// local reports whether the chart is a file or folder on this machine.
func (s ChartSource) local() bool { return !strings.Contains(s.Chart, "://") }

// fetch gives the chart's file or folder on this machine. Nothing of the
// user's own Helm configuration is read but the credentials of registries.
func (s ChartSource) fetch(ctx context.Context, dir string) (string, error) {
	if s.local() {
		return s.Chart, nil
	}
	settings := cli.New()
	settings.RepositoryConfig = filepath.Join(dir, "repositories.yaml")
	settings.RepositoryCache = filepath.Join(dir, "charts")
	if err := os.MkdirAll(settings.RepositoryCache, 0o700); err != nil {
		return "", fault.New(fault.Infra, "", "making a folder for charts: %w", err)
	}
	client, err := registry.NewClient(registry.ClientOptWriter(io.Discard), registry.ClientOptCredentialsFile(settings.RegistryConfig))
	if err != nil {
		return "", fault.New(fault.Infra, "", "preparing to fetch charts: %w", err)
	}
	install := action.NewInstall(&action.Configuration{RegistryClient: client})
	install.Version = s.Version
	name := s.Chart
	if !registry.IsOCI(name) {
		repository, last := path.Split(name)
		install.RepoURL, name = strings.TrimSuffix(repository, "/"), last
	}
	type answer struct {
		file string
		err  error
	}
	got := make(chan answer, 1)
	go func() { // Helm's download knows no context
		file, err := install.LocateChart(name, settings)
		got <- answer{file, err}
	}()
	select {
	case a := <-got:
		if a.err != nil {
			return "", fault.New(fault.Infra, chartHint, "fetching chart %s %s: %w", s.Chart, s.Version, a.err)
		}
		return a.file, nil
	case <-ctx.Done():
		return "", fmt.Errorf("fetching chart %s: %w", s.Chart, context.Cause(ctx))
	}
}

func sum(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}
