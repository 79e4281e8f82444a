package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// root is the repository's root, seen from this package.
const root = "../.."

// built holds the OCI layouts of the fixtures, by name.
var built sync.Map

// fixture builds an image, or takes it from the cache, and gives its layout.
func fixture(t *testing.T, image string) string {
	t.Helper()
	once, _ := built.LoadOrStore(image, sync.OnceValues(func() (string, error) {
		cmd := exec.Command("scripts/images/build.sh", image)
		cmd.Dir = root
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			return "", errors.New(stderr.String())
		}
		return strings.TrimSpace(string(out)), nil
	}))
	path, err := once.(func() (string, error))()
	if err != nil {
		t.Fatalf("building fixture %s: %v", image, err)
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(root, path)
	}
	return path
}

// archive gives a fixture as a docker archive.
func archive(t *testing.T, image string) string {
	t.Helper()
	cmd := exec.Command("scripts/images/build.sh", "-archive", image)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("building archive of %s: %v", image, err)
	}
	path := strings.TrimSpace(string(out))
	if !filepath.IsAbs(path) {
		path = filepath.Join(root, path)
	}
	return path
}

// push puts a fixture into the registry and gives its reference by digest.
func push(t *testing.T, image string) string {
	t.Helper()
	img := layoutImage(t, image)
	tag, err := name.NewTag(bed.registry + "/fixtures/" + image + ":v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, img); err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return tag.Context().Digest(digest.String()).String()
}

// layoutImage reads a fixture's one image.
func layoutImage(t *testing.T, image string) v1.Image {
	t.Helper()
	index, err := layout.ImageIndexFromPath(fixture(t, image))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	img, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// config gives the digest of a fixture's configuration.
func config(t *testing.T, image string) string {
	t.Helper()
	digest, err := layoutImage(t, image).ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

// database builds the sample vulnerability database once.
var database = sync.OnceValues(func() (string, error) {
	dir, err := filepath.Abs(filepath.Join(root, ".cache", "vulnerability-db"))
	if err != nil {
		return "", err
	}
	cmd := exec.Command("make", "-s", "db")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.New(string(out))
	}
	return filepath.Join(dir, "vulnerability-db.tar.zst"), nil
})

// outcome is one run of the command.
type outcome struct {
	code           int
	stdout, stderr string
	dir            string
	result         result
}

// result is the part of result.json that the tests look at.
type result struct {
	RunID    string `json:"run_id"`
	Verdict  string `json:"verdict"`
	ExitCode int    `json:"exit_code"`
	Summary  struct {
		Total              int    `json:"total_cves_analyzed"`
		NotAffected        int    `json:"not_affected"`
		Affected           int    `json:"affected"`
		UnderInvestigation int    `json:"under_investigation"`
		Fixed              int    `json:"fixed"`
		Confidence         string `json:"confidence"`
	} `json:"summary"`
	Checks []struct {
		ID       string `json:"id"`
		OK       bool   `json:"ok"`
		Applies  bool   `json:"applies"`
		Measured string `json:"measured"`
	} `json:"checks"`
	Assessments []struct {
		Vulnerability string `json:"vulnerability"`
		Package       string `json:"package"`
		Type          string `json:"type"`
		Status        string `json:"status"`
		Reason        string `json:"reason"`
		Text          string `json:"text"`
	} `json:"assessments"`
	Kubescape *kubescapeResult `json:"kubescape"`
}

// vexxy runs the command and reads its result.
func vexxy(t *testing.T, args ...string) outcome {
	t.Helper()
	return vexxyEnv(t, nil, args...)
}

// analyse runs `vexxy run` with the sample database and a new output directory.
func analyse(t *testing.T, args ...string) outcome {
	t.Helper()
	return analyseEnv(t, nil, args...)
}

func analyseEnv(t *testing.T, env []string, args ...string) outcome {
	t.Helper()
	db, err := database()
	if err != nil {
		t.Fatalf("building database: %v", err)
	}
	dir := t.TempDir()
	all := append([]string{"run", "--vulnerability-db", db, "--max-db-age", "0", "--output-dir", dir}, args...)
	out := vexxyEnv(t, env, all...)
	out.load(t, dir)
	if out.result.ExitCode != out.code {
		t.Errorf("result.json says exit code %d, the command ended with %d", out.result.ExitCode, out.code)
	}
	return out
}

// load reads the result that a run has left in a directory.
func (o *outcome) load(t *testing.T, dir string) {
	t.Helper()
	o.dir = dir
	raw, err := os.ReadFile(filepath.Join(dir, "result.json"))
	if err != nil {
		t.Fatalf("no result after exit code %d: %v\n%s", o.code, err, o.stderr)
	}
	if err := json.Unmarshal(raw, &o.result); err != nil {
		t.Fatal(err)
	}
}

func vexxyEnv(t *testing.T, env []string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 8*time.Minute) // also in a clean-up
	defer cancel()
	cmd := command(ctx, env, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
}

// command makes the test binary run as vexxy.
func command(ctx context.Context, env []string, args ...string) *exec.Cmd {
	self, err := os.Executable()
	must(err)
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(append(os.Environ(), asCommand+"=1"), env...)
	return cmd
}

// check gives one sufficiency check of the result.
func (o outcome) check(t *testing.T, id string) (ok bool, measured string) {
	t.Helper()
	for _, c := range o.result.Checks {
		if c.ID == id {
			return c.OK, c.Measured
		}
	}
	t.Fatalf("result has no check %s", id)
	return false, ""
}

// statuses gives the set of statuses of a package's findings.
func (o outcome) statuses(pkg string) map[string]int {
	set := map[string]int{}
	for _, a := range o.result.Assessments {
		if a.Package == pkg {
			set[a.Status]++
		}
	}
	return set
}
