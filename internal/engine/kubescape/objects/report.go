package objects

import (
	"context"
	"strings"
	"time"

	"github.com/kubescape/storage/pkg/apis/softwarecomposition/v1beta1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// node-agent posts a container's profile as a series of reports, and storage
// merges them at a beat of 30 s, which cannot be set
// (https://github.com/kubescape/storage, pkg/registry/file, containerprofile_processor.go).
// With the values that a run installs there is one report, at the window's end.

// isReport reports whether a profile is one report of a series.
func isReport(p *v1beta1.ContainerProfile) bool { return p.Annotations[keySeries] != "" }

// sole reports whether a report is a series by itself: none came before it,
// node-agent posts none after it, and it has lost nothing. What storage makes
// of it is the same profile, but for paths that it replaces by wildcards.
func sole(p *v1beta1.ContainerProfile) bool {
	a := p.Annotations
	var never time.Time
	first := a[keyPrevious] == never.String() || a[keyPrevious] == never.Format(time.RFC3339)
	return first && a[keyStatus] == statusCompleted && a[keyCompletion] == completionWhole
}

// slug is the instance's name in all that is stored of it: the name of its
// profile. A report's has a suffix of its own.
func slug(p *v1beta1.ContainerProfile) string {
	if i := strings.LastIndexByte(p.Name, '-'); i > 0 && isReport(p) {
		return p.Name[:i]
	}
	return p.Name
}

// follow lets kubevuln be asked by the profile's own name once storage has merged
// the report, as it may do before kubevuln reads that.
func (h *hunt) follow(ctx context.Context) error {
	merged := slug(h.profile)
	if h.asks == merged || time.Since(h.lookedAt) < h.client.limits.Merge {
		return nil
	}
	h.lookedAt = time.Now()
	_, err := h.client.api.ContainerProfiles(h.profile.Namespace).Get(ctx, h.asks, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		h.asks, h.askedAt = merged, time.Time{}
		return nil
	}
	return profileRefused(err)
}
