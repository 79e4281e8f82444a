package attest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"

	"github.com/vexxy/action/internal/fault"
)

// Layout is a way in which attestations are attached to an image.
type Layout string

// The layouts: a sigstore bundle as OCI referrer, and cosign's older tag that
// ends in .att.
const (
	LayoutBundle Layout = "bundle"
	LayoutLegacy Layout = "legacy"
)

// found is one attestation as the registry has it. Nothing of it is verified.
type found struct {
	layout Layout
	// manifest is the referrer's, or that of the tag; layer holds the envelope.
	manifest, layer v1.Descriptor
	// tool is what the annotation says.
	tool    string
	bundle  *bundle.Bundle
	payload []byte
	header  header
	// err says why it could not be read as an attestation.
	err error
}

// shelf is everything that is attached to one image.
type shelf struct {
	subject v1.Descriptor
	list    listing
	att     attTag
	found   []found
}

// survey reads all attestations of an image, within the bounds. What of them
// cannot be read is noted with each; a registry that fails is an error.
func (r *registry) survey(ctx context.Context, digest string) (shelf, error) {
	_, subject, err := r.manifest(ctx, digest)
	if errors.Is(err, errAbsent) {
		return shelf{}, fault.New(fault.Usage, "push the image before it is attested, or check the name", "the registry %s does not have %s", r.repo.Name(), digest)
	}
	if err != nil {
		return shelf{}, err
	}
	s := shelf{subject: subject}
	if s.list, err = r.referrers(ctx, digest); err != nil {
		return shelf{}, err
	}
	if len(s.list.manifests) > maxAttestations {
		return shelf{}, tooMany(r, digest, len(s.list.manifests))
	}
	for _, d := range s.list.manifests {
		f, is, err := r.referrer(ctx, d, digest)
		if err != nil {
			return shelf{}, err
		}
		if is {
			s.found = append(s.found, f)
		}
	}
	if s.att, err = r.attestations(ctx, digest); err != nil {
		return shelf{}, err
	}
	if len(s.att.layers) > maxAttestations {
		return shelf{}, tooMany(r, digest, len(s.att.layers))
	}
	for _, d := range s.att.layers {
		f, is, err := r.attestation(ctx, s.att, d, digest)
		if err != nil {
			return shelf{}, err
		}
		if is {
			s.found = append(s.found, f)
		}
	}
	return s, nil
}

func tooMany(r *registry, digest string, n int) error {
	return fault.New(r.code, "remove what nobody needs, or do not use this registry before you know why",
		"%s@%s has %d things attached, more than the %d that are read", r.repo.Name(), digest, n, maxAttestations)
}

// referrer reads one referrer. is says whether it is a sigstore bundle about an
// in-toto statement; other referrers are not for this program.
func (r *registry) referrer(ctx context.Context, d v1.Descriptor, digest string) (f found, is bool, err error) {
	f = found{layout: LayoutBundle, manifest: d}
	raw, _, err := r.manifest(ctx, d.Digest.String())
	if err != nil {
		return r.unreadable(f, err, strings.HasPrefix(d.ArtifactType, bundleFamily))
	}
	var m v1.Manifest
	if err := json.Unmarshal(raw, &m); err != nil || len(m.Layers) != 1 || !strings.HasPrefix(string(m.Layers[0].MediaType), bundleFamily) {
		return f, false, nil
	}
	f.layer, f.tool = m.Layers[0], m.Annotations[toolAnnotation]
	data, err := r.blob(ctx, f.layer, maxBundle)
	if err != nil {
		return r.unreadable(f, err, true)
	}
	f.bundle = &bundle.Bundle{}
	if err := f.bundle.UnmarshalJSON(data); err != nil {
		return r.unreadable(f, err, true)
	}
	if f.bundle.GetDsseEnvelope() == nil {
		return f, false, nil
	}
	return f.open(digest), true, nil
}

// maxBundle bounds a bundle and an envelope: a statement in base64 with room
// for certificates and log entries.
const maxBundle = MaxStatement/3*4 + 1<<20

// unreadable keeps the error with what was found, unless it is the registry
// that failed.
func (r *registry) unreadable(f found, err error, is bool) (found, bool, error) {
	var bad *fault.Error
	if errors.As(err, &bad) && bad.Code != fault.Integrity {
		return f, false, err
	}
	f.err, f.bundle = errors.New(bounded(err.Error())), nil
	return f, is, nil
}

// open looks into the envelope.
func (f found) open(digest string) found {
	e := f.bundle.GetDsseEnvelope()
	if e.GetPayloadType() != payloadType {
		f.err = fmt.Errorf("its payload has the type %s", cut(e.GetPayloadType()))
		return f
	}
	f.payload = e.GetPayload()
	f.header, f.err = readStatement(f.payload, digest)
	return f
}

// reference names where it was found.
func (f found) reference(repository string) string {
	return repository + "@" + f.manifest.Digest.String()
}
