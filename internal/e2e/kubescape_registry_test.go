package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"golang.org/x/sync/errgroup"

	"github.com/vexxy/action/internal/cluster/clustertest"
)

// pullFlags are those of a cluster of the run's own whose nodes pull
// Kubescape's images as they do by default. The test bed's images come from a
// mirror that holds what its archives hold.
func pullFlags(t *testing.T) []string {
	t.Helper()
	flags := []string{"--node-image", os.Getenv(nodeVariable)}
	if chart := os.Getenv(chartVariable); chart != "" {
		flags = append(flags, "--chart", must1(filepath.Abs(filepath.Join(root, chart))))
	}
	folder := os.Getenv(archivesVariable)
	if folder == "" {
		return flags
	}
	at := clustertest.Registry(t, nil)
	archives := must1(filepath.Glob(filepath.Join(root, folder, "*.tar")))
	var g errgroup.Group
	mirrored := map[string]bool{}
	for _, archive := range archives {
		manifest := must1(tarball.LoadManifest(func() (io.ReadCloser, error) { return os.Open(archive) }))
		for _, image := range manifest {
			for _, tag := range image.RepoTags {
				from := must1(name.NewTag(tag))
				mirrored[from.RegistryStr()] = true
				g.Go(func() error {
					img, err := tarball.ImageFromPath(archive, &from)
					if err != nil {
						return err
					}
					to, err := name.NewTag(at.Here + "/" + from.RepositoryStr() + ":" + from.TagStr())
					if err != nil {
						return err
					}
					return remote.Write(to, img)
				})
			}
		}
	}
	must(g.Wait())
	if len(mirrored) == 0 {
		t.Fatalf("there is no image in %s", folder)
	}
	for registry := range mirrored {
		flags = append(flags, "--registry-mirror", registry+"=http://"+at.There)
	}
	return flags
}

// privateRegistry asks for a password. It can be told to take none from nodes.
type privateRegistry struct {
	clustertest.Addresses
	closed atomic.Bool // to nodes
}

const registryUser, registryPassword = "robot", "vexxy-canary-registry-password"

func newPrivateRegistry(t *testing.T) *privateRegistry {
	t.Helper()
	r := &privateRegistry{}
	r.Addresses = clustertest.Registry(t, func(w http.ResponseWriter, req *http.Request) bool {
		user, password, _ := req.BasicAuth()
		node := strings.Contains(req.UserAgent(), "containerd")
		if user == registryUser && password == registryPassword && !(node && r.closed.Load()) {
			return true
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="private"`)
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"errors": [{"code": "UNAUTHORIZED", "message": "who are you?"}]}`)
		return false
	})
	return r
}

// flags make nodes speak to it without TLS.
func (r *privateRegistry) flags() []string {
	return []string{"--registry-mirror", r.Here + "=http://" + r.There}
}

// push puts a fixture there and gives its reference by digest.
func (r *privateRegistry) push(t *testing.T, image string) string {
	t.Helper()
	img := layoutImage(t, image)
	tag := must1(name.NewTag(r.Here + "/private/" + image + ":v1"))
	must(remote.Write(tag, img, remote.WithAuth(&authn.Basic{Username: registryUser, Password: registryPassword})))
	return tag.Context().Digest(must1(img.Digest()).String()).String()
}

// login gives the environment of who has logged in.
func (r *privateRegistry) login(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	config := fmt.Sprintf(`{"auths": {%q: {"username": %q, "password": %q}}}`, r.Here, registryUser, registryPassword)
	must(os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600))
	return []string{"DOCKER_CONFIG=" + dir}
}

// private holds a kept cluster to images that not everybody may pull: it is
// given the credentials of this machine's Docker configuration, and they are
// not told to anybody else.
func private(t *testing.T, env []string, kubeconfig string, r *privateRegistry) {
	c := standing{kubeconfig: kubeconfig}
	image := r.push(t, "health")
	run := func(t *testing.T) outcome {
		t.Helper()
		out := analyseEnv(t, append(r.login(t), env...), "--engine", "kubescape", "--kubeconfig", kubeconfig, "--duration", "10s", image)
		told := out.stdout + out.stderr
		must(filepath.WalkDir(out.dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				told += string(must1(os.ReadFile(path)))
			}
			return err
		}))
		if strings.Contains(told, registryPassword) {
			t.Error("the registry's password is told")
		}
		if left := c.kubectl(t, "", "-n", "vexxy-sandbox", "get", "secrets", "-o", "name"); left != "" {
			t.Errorf("left behind: %s", left)
		}
		return out
	}
	t.Run("pulled with a secret", func(t *testing.T) {
		if out := run(t); out.code != 0 || out.result.Summary.NotAffected == 0 {
			t.Errorf("exit code %d, %d not affected\n%s", out.code, out.result.Summary.NotAffected, out.stderr)
		}
	})
	t.Run("pull refused", func(t *testing.T) {
		r.closed.Store(true)
		defer r.closed.Store(false)
		inNode := strings.TrimSuffix(c.kubectl(t, "", "get", "nodes", "-o", "name"), "\n")
		engine(t, "exec", strings.TrimPrefix(inNode, "node/"), "ctr", "--namespace", "k8s.io", "images", "rm", image)
		out := run(t)
		if out.code != 5 || out.result.Summary.NotAffected != 0 {
			t.Errorf("exit code %d, %d not affected\n%s", out.code, out.result.Summary.NotAffected, out.stderr)
		}
		for _, want := range []string{"ImagePull", "401", "docker login"} {
			if !strings.Contains(out.stderr, want) {
				t.Errorf("%q is not said\n%s", want, out.stderr)
			}
		}
	})
}
