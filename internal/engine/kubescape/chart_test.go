package kubescape

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"

	"github.com/vexxy/action/internal/fault"
)

func sprint(v any) string { return fmt.Sprint(v) }

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

const testChart = "../../../testdata/chart/kubescape-operator"

func TestLoadChart(t *testing.T) {
	dir := t.TempDir()
	c, err := loader.Load(testChart)
	if err != nil {
		t.Fatal(err)
	}
	archive, err := chartutil.Save(c, dir)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := sum(archive)
	if err != nil || !strings.HasPrefix(digest, "sha256:") || len(digest) != 71 {
		t.Fatalf("the archive's digest is %q, %v", digest, err)
	}
	other := "sha256:" + strings.Repeat("0", 64)
	broken := filepath.Join(dir, "broken.tgz")
	write(t, broken, "this is no archive")
	for _, c := range []struct {
		name   string
		source ChartSource
		code   fault.Code
		digest string
	}{
		{"archive", ChartSource{Chart: archive}, fault.Pass, digest},
		{"its digest", ChartSource{Chart: archive, Digest: digest}, fault.Pass, digest},
		{"another digest", ChartSource{Chart: archive, Digest: other}, fault.Integrity, ""},
		{"broken archive with another digest", ChartSource{Chart: broken, Digest: digest}, fault.Integrity, ""},
		{"its version", ChartSource{Chart: archive, Version: c.Metadata.Version}, fault.Pass, digest},
		{"another version", ChartSource{Chart: archive, Version: "0.0.1"}, fault.Usage, ""},
		{"folder", ChartSource{Chart: testChart}, fault.Pass, ""},
		{"folder of another version", ChartSource{Chart: testChart, Version: "0.0.1"}, fault.Usage, ""},
		{"folder with a digest", ChartSource{Chart: testChart, Digest: digest}, fault.Integrity, ""},
		{"missing file", ChartSource{Chart: filepath.Join(dir, "none.tgz")}, fault.Usage, ""},
		{"broken archive", ChartSource{Chart: broken}, fault.Usage, ""},
		{"empty folder", ChartSource{Chart: t.TempDir()}, fault.Usage, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.source.load(t.Context(), t.TempDir())
			if c.code == fault.Pass {
				if err != nil || got.digest != c.digest || got.Metadata.Name != "kubescape-operator" {
					t.Errorf("got %+v, %v", got, err)
				}
				return
			}
			if fault.CodeOf(t.Context(), err) != c.code || fault.HintOf(err) == "" || got.Chart != nil {
				t.Errorf("got code %d: %v", fault.CodeOf(t.Context(), err), err)
			}
		})
	}
}
