package kubescape

import (
	"context"
	"encoding/json"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/source"
)

// pullSecret lets an existing cluster pull the image with the credentials that
// the Docker configuration has for its registry, and gives the Secret's name:
// empty where there are none. The Secret is the run's own and goes with it.
func (e *Engine) pullSecret(ctx context.Context, img source.Image) (string, error) {
	ref, err := name.NewDigest(img.Pull)
	if err != nil {
		return "", fault.New(fault.Internal, "", "naming image for the cluster: %w", err)
	}
	auth, err := authn.Resolve(ctx, authn.DefaultKeychain, ref.Context())
	if err != nil {
		return "", fault.New(fault.Infra, "log in to the registry with `docker login`", "reading credentials of %s: %w", ref.RegistryStr(), err)
	}
	config, err := authn.Authorization(ctx, auth)
	if err != nil {
		return "", fault.New(fault.Infra, "log in to the registry with `docker login`", "reading credentials of %s: %w", ref.RegistryStr(), err)
	}
	if config.Username == "" {
		if config.IdentityToken != "" || config.RegistryToken != "" {
			e.progress.Note("the credentials of " + ref.RegistryStr() + " are a token, which no kubelet takes: the cluster pulls without")
		}
		return "", nil
	}
	document, err := dockerConfig(ref.RegistryStr(), config.Username, config.Password)
	if err != nil {
		return "", err
	}
	labels, annotations := e.marks()
	secret := e.workloadName(img)
	secrets := e.cluster.Client.CoreV1().Secrets(Sandbox)
	e.undoing("secret "+secret, func(ctx context.Context) error {
		return present(secrets.Delete(ctx, secret, metav1.DeleteOptions{}))
	})
	_, err = secrets.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: secret, Labels: labels, Annotations: annotations},
		Type:       corev1.SecretTypeDockerConfigJson,
		Data:       map[string][]byte{corev1.DockerConfigJsonKey: document},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", fault.New(fault.Infra, "the kubeconfig's user must be allowed to create secrets in "+Sandbox, "giving the cluster credentials: %w", err)
	}
	return secret, nil
}

// dockerConfig is the document of such a Secret. Docker Hub goes by its old
// address there.
func dockerConfig(registry, user, password string) ([]byte, error) {
	if registry == name.DefaultRegistry {
		registry = authn.DefaultAuthKey
	}
	return json.Marshal(map[string]any{"auths": map[string]any{registry: map[string]string{"username": user, "password": password}}})
}
