package objects

import (
	"context"
	"time"

	"github.com/kubescape/storage/pkg/apis/softwarecomposition/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vexxy/action/internal/fault"
)

// Scan is what kubevuln made of one container, as far as it is there.
type Scan struct {
	// Full is the image's list of vulnerabilities, Filtered that of what the
	// profile has, VEX the container's document. SBOM is stored only where
	// kubevuln.config.storeFilteredSboms is true.
	Full, Filtered *v1beta1.VulnerabilityManifest
	SBOM           *v1beta1.SBOMSyftFiltered
	VEX            *v1beta1.OpenVulnerabilityExchangeContainer
	// Error says which of the first three there are not and why, with what to
	// do; Asked why kubevuln could not be asked, "" where it was.
	Error string
	Asked string
}

// Scan has kubevuln match the container and waits for its documents. When it
// cannot be asked, Kubescape's operator does so later by itself, and that is
// waited for. The error is the cause of a ctx that ended.
func (c *Client) Scan(ctx context.Context, p Profile, s SBOM) (Scan, error) {
	switch {
	case !p.Whole():
		return Scan{Error: "kubevuln scans no container without a whole profile"}, nil
	case s.Object == nil || s.Error != "":
		return Scan{Error: "kubevuln scans no image without Kubescape's SBOM of it"}, nil
	}
	h := &hunt{client: c, profile: p.Object, asks: p.Object.Name, image: s.Object.Name, stale: map[string]string{}}
	err := c.poll(ctx, c.limits.Scan, "kubevuln has not made its documents", h.look)
	if h.Filtered != nil {
		sbom, failed := c.api.SBOMSyftFiltereds(c.home).Get(ctx, slug(p.Object), metav1.GetOptions{})
		if failed == nil && h.ours(sbom.ObjectMeta) {
			h.SBOM = sbom
		}
	}
	if h.asked != nil {
		h.Asked = words(h.asked)
	}
	var ended error
	h.Error, ended = settle(ctx, err)
	return h.Scan, ended
}

// hunt is one search for kubevuln's documents. kubevuln stores the full list,
// the filtered SBOM, the filtered list and the VEX document, in this order. When
// the storage refuses one it goes on with a line in its log
// (https://github.com/kubescape/kubevuln, core/services/scan.go).
type hunt struct {
	Scan
	client  *Client
	profile *v1beta1.ContainerProfile
	asks    string // the name by which kubevuln is asked
	image   string // the name of its full list

	looks int
	// stale are the versions of documents of an earlier container of the same
	// name, by kind, as they were before kubevuln was asked.
	stale   map[string]string
	asked   error
	askedAt time.Time
	// lookedAt is when the report was last seen to be there.
	lookedAt time.Time
	// gapSince is when a document was first missing beside a later one.
	gapSince time.Time
}

func (h *hunt) look(ctx context.Context) (bool, string, error) {
	h.looks++
	if err := h.gather(ctx); err != nil {
		return false, "", err
	}
	if h.Full != nil && h.Filtered != nil && h.VEX != nil {
		return true, "", nil
	}
	if err := h.follow(ctx); err != nil {
		return false, "", err
	}
	h.ask(ctx)
	if h.Filtered == nil && h.VEX == nil {
		return false, h.nothing(), nil
	}
	if h.gapSince.IsZero() {
		h.gapSince = time.Now()
	}
	if time.Since(h.gapSince) < h.client.limits.Straggler {
		return false, "some of its documents are there", nil
	}
	return false, "", h.gap()
}

// gather gets what is not there yet. The full list is the image's: only once
// the container's lists are there is it known to be of this scan.
func (h *hunt) gather(ctx context.Context) error {
	c, name := h.client, slug(h.profile)
	manifests, documents := c.api.VulnerabilityManifests(c.home), c.api.OpenVulnerabilityExchangeContainers(c.home)
	if h.Filtered == nil {
		m, err := found(h, name, "vulnerabilitymanifests", func(name string) (*v1beta1.VulnerabilityManifest, error) {
			return manifests.Get(ctx, name, metav1.GetOptions{})
		},
			func() ([]v1beta1.VulnerabilityManifest, error) {
				l, err := manifests.List(ctx, metav1.ListOptions{})
				return itemsOf(l, err, func(l *v1beta1.VulnerabilityManifestList) []v1beta1.VulnerabilityManifest { return l.Items })
			})
		if err != nil {
			return err
		}
		h.Filtered = m
	}
	if h.VEX == nil {
		v, err := found(h, name, "openvulnerabilityexchangecontainers", func(name string) (*v1beta1.OpenVulnerabilityExchangeContainer, error) {
			return documents.Get(ctx, name, metav1.GetOptions{})
		}, func() ([]v1beta1.OpenVulnerabilityExchangeContainer, error) {
			l, err := documents.List(ctx, metav1.ListOptions{})
			return itemsOf(l, err, func(l *v1beta1.OpenVulnerabilityExchangeContainerList) []v1beta1.OpenVulnerabilityExchangeContainer {
				return l.Items
			})
		})
		if err != nil {
			return err
		}
		h.VEX = v
	}
	if h.Full == nil && (h.Filtered != nil || h.VEX != nil) {
		m, err := manifests.Get(ctx, h.image, metav1.GetOptions{})
		if err != nil {
			return scanRefused("vulnerabilitymanifests", err)
		}
		h.Full = m
	}
	return nil
}

// nothing is the state in which the container has no document.
func (h *hunt) nothing() string {
	switch {
	case h.asked != nil:
		return words(h.asked)
	case len(h.stale) > 0:
		return "its documents are of an earlier workload of that name, and kubevuln has not renewed them: see its log"
	}
	return "kubevuln was asked and has stored nothing: see its log for a database that is missing, an SBOM that it does not find, or a lack of memory"
}

// gap says which document was refused, for there are later ones.
func (h *hunt) gap() error {
	const queues = "raise storage.kindQueues."
	switch {
	case h.VEX == nil:
		return fault.New(fault.Infra, queues+"openvulnerabilityexchangecontainers.maxObjectSize by values, or see whether capabilities.vexGeneration is on",
			"kubevuln made its list of vulnerabilities and no VEX document: most likely that is larger than the storage takes")
	case h.Filtered == nil:
		return fault.New(fault.Infra, queues+"vulnerabilitymanifests.maxObjectSize by values",
			"kubevuln made its VEX document, and the storage has no list of the container's vulnerabilities: most likely that is larger than the storage takes")
	}
	return fault.New(fault.Infra, queues+"vulnerabilitymanifests.maxObjectSize by values",
		"kubevuln made its documents of the container, and the storage has no list of the image's vulnerabilities: most likely that is larger than the storage takes")
}
