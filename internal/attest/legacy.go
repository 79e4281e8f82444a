package attest

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	ggcr "github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	cosignbundle "github.com/sigstore/cosign/v2/pkg/cosign/bundle"
	"github.com/sigstore/cosign/v2/pkg/oci"
	"github.com/sigstore/cosign/v2/pkg/oci/empty"
	"github.com/sigstore/cosign/v2/pkg/oci/mutate"
	"github.com/sigstore/cosign/v2/pkg/oci/static"
	cosigntypes "github.com/sigstore/cosign/v2/pkg/types"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

// predicateTypeAnnotation is what cosign writes beside an attestation's layer.
const predicateTypeAnnotation = "predicateType"

// attTag is cosign's tag for the attestations of an image: one manifest, a
// layer for each (https://github.com/sigstore/cosign/blob/main/specs/ATTESTATION_SPEC.md).
type attTag struct {
	descriptor v1.Descriptor
	manifest   v1.Manifest
	layers     []v1.Descriptor
}

// attTagOf is the tag's name.
func attTagOf(digest string) string { return strings.Replace(digest, ":", "-", 1) + ".att" }

// attestations reads the tag; there may be none.
func (r *registry) attestations(ctx context.Context, digest string) (attTag, error) {
	raw, d, err := r.manifest(ctx, attTagOf(digest))
	if errors.Is(err, errAbsent) {
		return attTag{}, nil
	}
	if err != nil {
		return attTag{}, err
	}
	t := attTag{descriptor: d}
	if err := json.Unmarshal(raw, &t.manifest); err != nil {
		return attTag{}, r.fault(ctx, "reading "+attTagOf(digest), fmt.Errorf("it is no manifest"))
	}
	t.layers = t.manifest.Layers
	return t, nil
}

// attestation reads one layer of the tag.
func (r *registry) attestation(ctx context.Context, t attTag, d v1.Descriptor, digest string) (f found, is bool, err error) {
	f = found{layout: LayoutLegacy, manifest: t.descriptor, layer: d, tool: d.Annotations[toolAnnotation]}
	if d.MediaType != cosigntypes.DssePayloadType {
		return f, false, nil
	}
	data, err := r.blob(ctx, d, maxBundle)
	if err != nil {
		return r.unreadable(f, err, true)
	}
	if f.bundle, err = fromLegacy(data, d.Annotations); err != nil {
		return r.unreadable(f, err, true)
	}
	return f.open(digest), true, nil
}

// fromLegacy makes a sigstore bundle of an envelope and its annotations, so
// that one verification serves both layouts.
func fromLegacy(data []byte, annotations map[string]string) (*bundle.Bundle, error) {
	var e struct {
		Payload     string `json:"payload"`
		PayloadType string `json:"payloadType"`
		Signatures  []struct {
			KeyID string `json:"keyid"`
			Sig   string `json:"sig"`
		} `json:"signatures"`
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, fmt.Errorf("reading the envelope: %w", err)
	}
	payload, err := base64.StdEncoding.DecodeString(e.Payload)
	if err != nil || len(e.Signatures) != 1 {
		return nil, fmt.Errorf("the envelope has no payload or not one signature")
	}
	sig, err := base64.StdEncoding.DecodeString(e.Signatures[0].Sig)
	if err != nil {
		return nil, fmt.Errorf("the envelope's signature is not in base64")
	}
	m := &protobundle.VerificationMaterial{Content: &protobundle.VerificationMaterial_PublicKey{PublicKey: &protocommon.PublicKeyIdentifier{}}}
	if text := annotations[static.CertificateAnnotationKey]; text != "" {
		block, _ := pem.Decode([]byte(text))
		if block == nil {
			return nil, errors.New("its certificate cannot be read")
		}
		m.Content = &protobundle.VerificationMaterial_X509CertificateChain{X509CertificateChain: &protocommon.X509CertificateChain{
			Certificates: []*protocommon.X509Certificate{{RawBytes: block.Bytes}},
		}}
	}
	if text := annotations[static.BundleAnnotationKey]; text != "" {
		entry, err := logEntry(text)
		if err != nil {
			return nil, err
		}
		m.TlogEntries = []*protorekor.TransparencyLogEntry{entry}
	}
	if text := annotations[static.RFC3161TimestampAnnotationKey]; text != "" {
		var ts cosignbundle.RFC3161Timestamp
		if err := json.Unmarshal([]byte(text), &ts); err != nil {
			return nil, errors.New("its time stamp cannot be read")
		}
		m.TimestampVerificationData = &protobundle.TimestampVerificationData{
			Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: ts.SignedRFC3161Timestamp}},
		}
	}
	return bundle.NewBundle(&protobundle.Bundle{
		MediaType: "application/vnd.dev.sigstore.bundle+json;version=0.1", VerificationMaterial: m,
		Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
			Payload: payload, PayloadType: e.PayloadType, Signatures: []*protodsse.Signature{{Sig: sig, Keyid: e.Signatures[0].KeyID}},
		}},
	})
}

// logEntry reads the entry of a transparency log as cosign keeps it.
func logEntry(text string) (*protorekor.TransparencyLogEntry, error) {
	bad := errors.New("its log entry cannot be read")
	var b cosignbundle.RekorBundle
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		return nil, bad
	}
	encoded, _ := b.Payload.Body.(string)
	body, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, bad
	}
	var kind struct {
		Kind    string `json:"kind"`
		Version string `json:"apiVersion"`
	}
	id, err := hex.DecodeString(b.Payload.LogID)
	if err != nil || json.Unmarshal(body, &kind) != nil {
		return nil, bad
	}
	return &protorekor.TransparencyLogEntry{
		LogIndex: b.Payload.LogIndex, LogId: &protocommon.LogId{KeyId: id}, IntegratedTime: b.Payload.IntegratedTime,
		KindVersion:      &protorekor.KindVersion{Kind: kind.Kind, Version: kind.Version},
		InclusionPromise: &protorekor.InclusionPromise{SignedEntryTimestamp: b.SignedEntryTimestamp}, CanonicalizedBody: body,
	}, nil
}

// errNewLog says that a signature does not fit into the older layout.
var errNewLog = errors.New("the log's entry does not fit into cosign's older layout: it has no promise of inclusion")

// layer makes the layer of a signed statement in cosign's layout.
func (s signed) layer(tool string, tr root.TrustedMaterial) (oci.Signature, error) {
	o := []static.Option{
		static.WithLayerMediaType(cosigntypes.DssePayloadType),
		static.WithAnnotations(map[string]string{predicateTypeAnnotation: s.PredicateType, toolAnnotation: tool}),
	}
	m := s.bundle.GetVerificationMaterial()
	if der := m.GetCertificate().GetRawBytes(); der != nil {
		leaf, chain, err := pemChain(der, tr)
		if err != nil {
			return nil, err
		}
		o = append(o, static.WithCertChain(leaf, chain))
	}
	if entries := m.GetTlogEntries(); len(entries) > 0 {
		e := entries[0]
		if e.GetInclusionPromise() == nil {
			return nil, errNewLog
		}
		o = append(o, static.WithBundle(&cosignbundle.RekorBundle{
			SignedEntryTimestamp: e.GetInclusionPromise().GetSignedEntryTimestamp(),
			Payload: cosignbundle.RekorPayload{
				Body: base64.StdEncoding.EncodeToString(e.GetCanonicalizedBody()), IntegratedTime: e.GetIntegratedTime(),
				LogIndex: e.GetLogIndex(), LogID: hex.EncodeToString(e.GetLogId().GetKeyId()),
			},
		}))
	}
	if stamps := m.GetTimestampVerificationData().GetRfc3161Timestamps(); len(stamps) > 0 {
		o = append(o, static.WithRFC3161Timestamp(&cosignbundle.RFC3161Timestamp{SignedRFC3161Timestamp: stamps[0].GetSignedTimestamp()}))
	}
	return static.NewAttestation(s.envelope, o...)
}

// pemChain gives a certificate and the authorities above it.
func pemChain(der []byte, tr root.TrustedMaterial) (leaf, chain []byte, err error) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the certificate: %w", err)
	}
	if leaf, err = cryptoutils.MarshalCertificateToPEM(c); err != nil {
		return nil, nil, fmt.Errorf("encoding the certificate: %w", err)
	}
	for _, ca := range tr.FulcioCertificateAuthorities() {
		f, is := ca.(*root.FulcioCertificateAuthority)
		if _, err := ca.Verify(c, c.NotBefore); err != nil || !is {
			continue
		}
		chain, err = cryptoutils.MarshalCertificatesToPEM(append(slices.Clone(f.Intermediates), f.Root))
		return leaf, chain, err
	}
	return nil, nil, errors.New("no trusted authority stands above the certificate")
}

// unasked stands for the methods of a signature that nobody calls.
type unasked interface{ oci.Signature }

// kept is a layer that is there already and stays as it is.
type kept struct {
	unasked
	d v1.Descriptor
}

func (k kept) Digest() (v1.Hash, error)                { return k.d.Digest, nil }
func (k kept) DiffID() (v1.Hash, error)                { return k.d.Digest, nil }
func (k kept) Size() (int64, error)                    { return k.d.Size, nil }
func (k kept) MediaType() (types.MediaType, error)     { return k.d.MediaType, nil }
func (k kept) Annotations() (map[string]string, error) { return k.d.Annotations, nil }
func (k kept) Compressed() (io.ReadCloser, error) {
	return nil, errors.New("it is not to be written again")
}
func (k kept) Uncompressed() (io.ReadCloser, error) { return k.Compressed() }

// writeAttestations adds layers to the tag and takes others out of it. What
// else stands there stays, as it is read at the last moment.
func (r *registry) writeAttestations(ctx context.Context, digest string, add []oci.Signature, drop []string) error {
	for _, l := range add {
		data, err := l.Payload()
		if err != nil {
			return fmt.Errorf("reading an envelope: %w", err)
		}
		if err := r.upload(ctx, ggcr.NewLayer(data, cosigntypes.DssePayloadType)); err != nil {
			return err
		}
	}
	begin := time.Now()
	t, err := r.attestations(ctx, digest)
	if err != nil {
		return err
	}
	var keep []v1.Descriptor
	var all []oci.Signature
	for _, d := range t.layers {
		if !slices.Contains(drop, d.Digest.String()) {
			keep, all = append(keep, d), append(all, kept{d: d})
		}
	}
	image, err := mutate.AppendSignatures(empty.Signatures(), false, append(all, add...)...)
	if err != nil {
		return fmt.Errorf("making the attestations' manifest: %w", err)
	}
	m, err := image.Manifest()
	if err != nil {
		return fmt.Errorf("making the attestations' manifest: %w", err)
	}
	m = m.DeepCopy()
	copy(m.Layers, keep) // with whatever else stands in a descriptor
	m.Annotations, m.Subject = t.manifest.Annotations, t.manifest.Subject
	config, err := partial.ConfigLayer(image)
	if err != nil {
		return fmt.Errorf("making the attestations' manifest: %w", err)
	}
	if err := r.upload(ctx, config); err != nil {
		return err
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encoding the attestations' manifest: %w", err)
	}
	_, err = r.put(ctx, attTagOf(digest), raw, m.MediaType)
	r.window = max(r.window, time.Since(begin))
	return err
}
