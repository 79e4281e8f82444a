package kubescape

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/fault"
)

// blindElsewhere is the word, in the evidence, for runs of the image that
// nobody watched.
const blindElsewhere = "ran-elsewhere"

// elsewhere looks for runs of the subject in other containers than the watched
// one: an init container, a worker of the same image, a second pod. What only
// they load was not seen, so that they are a way around the sensor. It is asked
// at the window's end; what is gone by then is gone from Kubernetes too, but
// for init containers, which stay in their pod's status.
func (s *sighting) elsewhere(ctx context.Context) error {
	pods, err := s.engine.cluster.Client.CoreV1().Pods(s.instance.namespace).List(ctx, metav1.ListOptions{LabelSelector: labelRun + "=" + s.engine.options.RunID})
	if err != nil {
		return fault.New(fault.Infra, "", "looking for other runs of the image: %w", err)
	}
	own := reference(s.image, s.engine.options.RunID)
	others := runsElsewhere(pods.Items, s.instance, func(image string) bool {
		return image == own || sameRepository(image, s.image.Repository)
	})
	if len(others) == 0 {
		return nil
	}
	s.Evidence.Health.Blind = append(s.Evidence.Health.Blind, evidence.Blind{
		What: blindElsewhere, Count: uint64(len(others)), Detail: text("the image ran unwatched in " + others[0]),
	})
	return nil
}

// runsElsewhere names the containers of the subject beside the watched one.
// Pods of other images that share the run are told apart by their workload.
func runsElsewhere(pods []corev1.Pod, watched instance, subject func(image string) bool) []string {
	var others []string
	for _, p := range pods {
		note := func(name, image string) {
			if subject(image) && (p.Name != watched.pod || name != watched.container) {
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
