package objects

import (
	"context"
	"slices"
	"strings"

	"github.com/kubescape/storage/pkg/apis/softwarecomposition/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vexxy/action/internal/fault"
)

// SBOM is Kubescape's own SBOM of an image.
type SBOM struct {
	// Object is the SBOM as it is, nil for none. Status is Kubescape's word for
	// it, the last one seen where there is no object.
	Object *v1beta1.SBOMSyft
	Status string
	// Error says what is wrong with it, or why there is none, with what to do.
	Error string
}

// SBOM waits for the image's SBOM until it is ready or in a state that does not
// get better. The names are all references and IDs by which node-agent may know
// the image, the running container's image ID among them. The error is the
// cause of a ctx that ended.
func (c *Client) SBOM(ctx context.Context, names []string) (SBOM, error) {
	var got SBOM
	err := c.poll(ctx, c.limits.SBOM, "there is no SBOM of the image by node-agent", func(ctx context.Context) (bool, string, error) {
		list, err := c.api.SBOMSyfts(c.home).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, "", sbomRefused(err)
		}
		i := slices.IndexFunc(list.Items, func(s v1beta1.SBOMSyft) bool { return imageOf(s.Annotations, names) })
		if i < 0 {
			return false, "node-agent has posted none: see its log, and whether nodeSbomGeneration is on", nil
		}
		got.Status = text(list.Items[i].Annotations[keyStatus])
		state := "its status is " + shown(got.Status, 40) + ": node-agent is still reading the image, or was restarted over it (memory limit)"
		flawed := sbomFlaw(got.Status)
		if got.Status != statusReady && flawed == nil {
			return false, state, nil
		}
		whole, err := c.api.SBOMSyfts(c.home).Get(ctx, list.Items[i].Name, metav1.GetOptions{})
		if err != nil {
			return false, state, sbomRefused(err)
		}
		if flawed == nil && len(whole.Spec.Syft.Artifacts) == 0 && whole.Spec.Syft.Schema.Version == "" {
			return false, "it is called ready and is empty", nil
		}
		got.Object = whole
		return true, "", flawed
	})
	var ended error
	got.Error, ended = settle(ctx, err)
	return got, ended
}

func sbomRefused(err error) error {
	return refused("get and list", "sbomsyfts.spdx.softwarecomposition.kubescape.io in Kubescape's namespace", err)
}

// sbomFlaw says what a status means that does not get better, nil for others.
func sbomFlaw(status string) error {
	lacks := func(hint, format string, args ...any) error { return fault.New(fault.Infra, hint, format, args...) }
	switch status {
	case statusTooLarge:
		return lacks("raise kubevuln.config.maxSBOMSize and storage.kindQueues.sbomsyfts.maxObjectSize by values, or split the image", "Kubescape's SBOM of the image is too large for it")
	case statusIncomplete:
		return lacks("see node-agent's log; raise its limits of CPU and memory by values", "Kubescape's SBOM is incomplete: node-agent could not read the whole image")
	case statusFailed:
		return lacks("see node-agent's log", "node-agent could not make an SBOM of the image")
	case statusNoAccess:
		return lacks("give Kubescape the registry's pull secret", "Kubescape may not read the image")
	case statusNoRuntime:
		return lacks("see node-agent's log", "node-agent knows no container runtime on the workload's node")
	case statusNoSchema:
		return lacks("build the image with a manifest of schema 2 or OCI", "Kubescape cannot read the image: its manifest has an old schema")
	}
	return nil
}

// imageOf reports whether annotations name an image that has one of the names.
// A digest that is known decides.
func imageOf(annotations map[string]string, names []string) bool {
	tag, id := plainName(annotations[keyImageTag]), plainName(annotations[keyImageID])
	digests := false
	for _, name := range names {
		name = plainName(name)
		d := digestIn(name)
		digests = digests || d != ""
		if d != "" && (d == digestIn(id) || d == digestIn(tag)) || name != "" && name == id {
			return true
		}
	}
	if digests && digestIn(id) != "" {
		return false
	}
	return tag != "" && slices.ContainsFunc(names, func(name string) bool { return plainName(name) == tag })
}

// plainName takes off what different programs put before an image's name.
func plainName(name string) string {
	for _, prefix := range []string{"docker-pullable://", "index.docker.io/", "docker.io/", "library/"} {
		name = strings.TrimPrefix(name, prefix)
	}
	return name
}

// digestIn gives the digest that an image's name ends in, or "".
func digestIn(name string) string {
	if i := strings.LastIndex(name, "sha256:"); i == 0 || i > 0 && name[i-1] == '@' {
		return name[i:]
	}
	return ""
}
