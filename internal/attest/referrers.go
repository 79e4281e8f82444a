package attest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/vexxy/action/internal/fault"
)

// The media types of a sigstore bundle attached to an image
// (https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md).
const (
	bundleType   = "application/vnd.dev.sigstore.bundle.v0.3+json"
	bundleFamily = "application/vnd.dev.sigstore.bundle"
	emptyType    = "application/vnd.oci.empty.v1+json"
)

// The annotations of an attestation's manifest. toolAnnotation is vexxy's own:
// with it older attestations are found to be replaced. It proves nothing; what
// is replaced must also verify as the signer's own.
const (
	createdAnnotation   = "org.opencontainers.image.created"
	contentAnnotation   = "dev.sigstore.bundle.content"
	predicateAnnotation = "dev.sigstore.bundle.predicateType"
	toolAnnotation      = "io.github.vexxy.tool"
	// inTotoAnnotation is the predicate's type again, where Trivy looks for it: it
	// then reads no other referrer than those announced as OpenVEX, and does not
	// give up at one beyond 20 MiB
	// (https://github.com/aquasecurity/trivy/blob/main/pkg/vex/oci/oci.go).
	inTotoAnnotation = "in-toto.io/predicate-type"
)

// listing is what refers to a manifest, and how the registry tells.
type listing struct {
	manifests []v1.Descriptor
	// api says that the registry has the referrers API
	// (https://github.com/opencontainers/distribution-spec, listing referrers);
	// without it the list is an index under a tag, index its bytes.
	api bool
	// broken says why the tag cannot hold the list; empty when it can.
	broken string
}

// fallbackTag is the tag of the list of referrers where there is no API.
func fallbackTag(digest string) string { return strings.Replace(digest, ":", "-", 1) }

// referrers lists what refers to the manifest.
func (r *registry) referrers(ctx context.Context, digest string) (listing, error) {
	path := "referrers/" + digest
	var l listing
	for page := 0; ; page++ {
		if page == maxPages {
			return l, fault.New(r.code, "do not use this registry before you know why", "listing the referrers of %s: the list has more than %d pages", digest, maxPages)
		}
		resp, err := r.do(ctx, "listing the referrers of "+digest, http.MethodGet, path, http.Header{"Accept": {string(types.OCIImageIndex)}}, nil,
			http.StatusOK, http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotAcceptable)
		if errors.Is(err, errAbsent) {
			return r.tagged(ctx, digest)
		}
		if err != nil {
			return l, err
		}
		if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), string(types.OCIImageIndex)) {
			resp.Body.Close()
			return r.tagged(ctx, digest)
		}
		raw, err := r.read(ctx, resp.Body, maxManifest)
		resp.Body.Close()
		if err != nil {
			return l, r.fault(ctx, "listing the referrers of "+digest, err)
		}
		var index v1.IndexManifest
		if err := json.Unmarshal(raw, &index); err != nil {
			return l, r.fault(ctx, "listing the referrers of "+digest, err)
		}
		l.api = true
		l.manifests = append(l.manifests, index.Manifests...)
		next := nextPage(resp.Header.Get("Link"))
		if next == "" {
			return l, nil
		}
		path = "referrers/" + digest + "?" + next
	}
}

// nextPage gives the query of the next page, of a Link header as RFC 8288 has
// it. Only the query is taken: the rest is not the registry's to choose.
func nextPage(link string) string {
	target, params, found := strings.Cut(strings.TrimPrefix(strings.TrimSpace(link), "<"), ">")
	if !found || !strings.Contains(params, "next") {
		return ""
	}
	u, err := url.Parse(target)
	if err != nil {
		return ""
	}
	return u.RawQuery
}

// tagged reads the list under the fallback tag.
func (r *registry) tagged(ctx context.Context, digest string) (listing, error) {
	raw, d, err := r.manifest(ctx, fallbackTag(digest))
	if errors.Is(err, errAbsent) {
		return listing{}, nil
	}
	if err != nil {
		return listing{}, err
	}
	// GitLab's registry takes the tag for the digest that it spells.
	if d.Digest.String() == digest {
		return listing{broken: "its registry has no referrers API and takes the fallback tag for the image itself"}, nil
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(raw, &index); err != nil || index.MediaType != types.OCIImageIndex || index.SchemaVersion != 2 {
		return listing{broken: "the fallback tag holds something else than a list of referrers"}, nil
	}
	return listing{manifests: index.Manifests}, nil
}

// attach writes a bundle as a referrer of the subject and gives its manifest's
// descriptor. Where the registry keeps no list of its own, the caller does.
func (r *registry) attach(ctx context.Context, subject v1.Descriptor, s signed, tool string) (d v1.Descriptor, indexed bool, err error) {
	config, layer := static.NewLayer([]byte("{}"), emptyType), static.NewLayer(s.data, bundleType)
	for _, l := range []v1.Layer{config, layer} {
		if err := r.upload(ctx, l); err != nil {
			return d, false, err
		}
	}
	annotations := map[string]string{
		createdAnnotation:   time.Now().UTC().Format(time.RFC3339),
		contentAnnotation:   "dsse-envelope",
		predicateAnnotation: s.PredicateType,
		inTotoAnnotation:    s.PredicateType,
		toolAnnotation:      tool,
	}
	configPart, err := describe(config)
	if err != nil {
		return d, false, err
	}
	layerPart, err := describe(layer)
	if err != nil {
		return d, false, err
	}
	// go-containerregistry's type has no artifactType.
	raw, err := json.Marshal(struct {
		v1.Manifest
		ArtifactType string `json:"artifactType"`
	}{v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: configPart, Layers: []v1.Descriptor{layerPart},
		Subject: &v1.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size}, Annotations: annotations,
	}, bundleType})
	if err != nil {
		return d, false, fmt.Errorf("encoding a manifest: %w", err)
	}
	digest, err := v1.NewHash("sha256:" + sum(raw))
	if err != nil {
		return d, false, err
	}
	d = v1.Descriptor{MediaType: types.OCIManifestSchema1, ArtifactType: bundleType, Digest: digest, Size: int64(len(raw)), Annotations: annotations}
	indexed, err = r.put(ctx, digest.String(), raw, types.OCIManifestSchema1)
	return d, indexed, err
}

func describe(l v1.Layer) (v1.Descriptor, error) {
	mediaType, err := l.MediaType()
	if err != nil {
		return v1.Descriptor{}, err
	}
	digest, err := l.Digest()
	if err != nil {
		return v1.Descriptor{}, err
	}
	size, err := l.Size()
	return v1.Descriptor{MediaType: mediaType, Digest: digest, Size: size}, err
}

// relist writes the list under the fallback tag: without the ones to drop, with
// the ones to add. Others in it stay as they are.
func (r *registry) relist(ctx context.Context, digest string, add []v1.Descriptor, drop []string) error {
	begin := time.Now()
	raw, _, err := r.manifest(ctx, fallbackTag(digest))
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	if err == nil {
		err = json.Unmarshal(raw, &index)
	} else if errors.Is(err, errAbsent) {
		err = nil
	}
	if err != nil {
		return err
	}
	has := func(list []v1.Descriptor, digest string) bool {
		return slices.ContainsFunc(list, func(d v1.Descriptor) bool { return d.Digest.String() == digest })
	}
	kept := index.Manifests[:0:0]
	for _, d := range index.Manifests {
		if !slices.Contains(drop, d.Digest.String()) || has(add, d.Digest.String()) {
			kept = append(kept, d)
		}
	}
	for _, d := range add {
		if !has(kept, d.Digest.String()) {
			kept = append(kept, d)
		}
	}
	index.Manifests = kept
	if raw, err = json.Marshal(index); err != nil {
		return fmt.Errorf("encoding the list of referrers: %w", err)
	}
	if len(raw) > maxManifest {
		return fault.New(r.code, "remove attestations that nobody needs", "the list of referrers of %s has more than %d bytes", digest, maxManifest)
	}
	_, err = r.put(ctx, fallbackTag(digest), raw, types.OCIImageIndex)
	r.window = max(r.window, time.Since(begin))
	return err
}
