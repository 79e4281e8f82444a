package kubescape

import (
	"context"
	"fmt"
	"slices"
	"strings"

	helmrelease "helm.sh/helm/v3/pkg/release"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/source"
)

// blindElsewhere is the word, in the evidence, for runs of the image that
// nobody watched.
const blindElsewhere = "ran-elsewhere"

// elsewhere looks for runs of the subject in other containers than the watched
// one: an init container, a worker of the same image, a second pod, a job. What
// only they load was not seen, so that they are a way around the sensor. It is
// asked at the window's end, of all pods but those of other runs: who makes
// pods for the user's objects need not give them a mark. What may be gone by
// then is known from its description.
func (s *sighting) elsewhere(ctx context.Context) error {
	pods, err := s.engine.cluster.Client.CoreV1().Pods(s.instance.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fault.New(fault.Infra, "", "looking for other runs of the image: %w", err)
	}
	run := s.engine.options.RunID
	mine := slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { return p.Labels[labelRun] != "" && p.Labels[labelRun] != run })
	others := append(s.aside, runsElsewhere(mine, s.instance, isSubject(s.image, run))...)
	if len(others) == 0 {
		return nil
	}
	s.Evidence.Health.Blind = append(s.Evidence.Health.Blind, evidence.Blind{
		What: blindElsewhere, Count: uint64(len(others)), Detail: text("the image ran unwatched in " + others[0]),
	})
	return nil
}

// isSubject tells an image by the name that a container asks for, and by what
// the runtime says that it runs, where that is known.
func isSubject(img source.Image, run string) func(image, imageID string) bool {
	own := reference(img, run)
	names := []string{img.Repository, strings.TrimPrefix(img.Requested, "docker-daemon:")}
	return func(image, imageID string) bool {
		for _, digest := range []string{img.ManifestDigest, img.IndexDigest, img.ConfigDigest} {
			if digest != "" && (strings.HasSuffix(image, digest) || strings.HasSuffix(imageID, digest)) {
				return true
			}
		}
		return image == own || slices.ContainsFunc(names, func(n string) bool { return n != "" && sameRepository(image, n) })
	}
}

// runsElsewhere names the containers of the subject beside the watched one.
func runsElsewhere(pods []corev1.Pod, watched instance, subject func(image, imageID string) bool) []string {
	var others []string
	for _, p := range pods {
		ids := map[string]string{}
		for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses, p.Status.EphemeralContainerStatuses) {
			ids[s.Name] = s.ImageID
		}
		note := func(name, image string) {
			if subject(image, ids[name]) && (p.Name != watched.pod || name != watched.container) {
				others = append(others, fmt.Sprintf("container %s of pod %s", name, p.Name))
			}
		}
		for _, c := range p.Spec.InitContainers {
			note(c.Name, c.Image)
		}
		for _, c := range p.Spec.Containers {
			note(c.Name, c.Image)
		}
		for _, c := range p.Spec.EphemeralContainers {
			note(c.Name, c.Image)
		}
	}
	return others
}

// passing names the objects beside the chosen one that run the subject once:
// their pods may be gone when the window ends.
func passing(objects []*unstructured.Unstructured, chosen *unstructured.Unstructured, subject func(image, imageID string) bool) []string {
	var all []string
	for _, o := range objects {
		if kind := o.GetKind(); o != chosen && (kind == "Job" || kind == "Pod") && mentions(o.Object, subject) {
			all = append(all, titleOf(o))
		}
	}
	return all
}

// hooked names the hooks of a chart's installation that run the subject. Helm
// shows hooks to no post-renderer, and may remove what they made at once.
func hooked(hooks []*helmrelease.Hook, subject func(image, imageID string) bool) ([]string, error) {
	var all []string
	for _, h := range hooks {
		if !slices.Contains(h.Events, helmrelease.HookPreInstall) && !slices.Contains(h.Events, helmrelease.HookPostInstall) {
			continue
		}
		objects, err := decode(strings.NewReader(h.Manifest), "the chart's hook "+text(h.Name))
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			if mentions(o.Object, subject) {
				all = append(all, "the chart's hook "+titleOf(o))
			}
		}
	}
	return all, nil
}

// mentions reports whether a container anywhere in an object, of whatever kind,
// has the subject's image.
func mentions(v any, subject func(image, imageID string) bool) bool {
	switch v := v.(type) {
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return mentions(item, subject) })
	case map[string]any:
		for key, field := range v {
			if image, ok := field.(string); ok && key == "image" && subject(image, "") || mentions(field, subject) {
				return true
			}
		}
	}
	return false
}
