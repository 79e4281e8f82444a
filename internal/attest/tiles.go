package attest

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/rekor-tiles/v2/pkg/client"
	"github.com/sigstore/rekor-tiles/v2/pkg/client/write"
	pb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore/pkg/signature"
)

// tiles is Rekor's second version, over tiles. Since 2.3 it takes no entries of
// type dsse (github.com/sigstore/rekor-tiles, internal/server/service.go), and
// this version of sigstore-go sends no others for envelopes. All versions take
// the digest of what was signed: the envelope's pre-authentication encoding.
type tiles struct {
	url  string
	keys sign.Keypair
}

var errNotPrehashed = errors.New("the log takes no signatures of Ed25519 keys: use another key, or no log")

// GetTransparencyLogEntry implements sign.Transparency.
func (l tiles) GetTransparencyLogEntry(ctx context.Context, _ []byte, b *protobundle.Bundle) error {
	public := l.keys.GetPublicKey()
	if _, is := public.(ed25519.PublicKey); is {
		return errNotPrehashed
	}
	e, m := b.GetDsseEnvelope(), b.GetVerificationMaterial()
	if len(e.GetSignatures()) != 1 {
		return errors.New("the envelope has not one signature")
	}
	details, err := signature.GetDefaultAlgorithmDetails(public)
	if err != nil {
		return fmt.Errorf("reading the key: %w", err)
	}
	v := &pb.Verifier{KeyDetails: details.GetSignatureAlgorithm()}
	if der := m.GetCertificate().GetRawBytes(); der != nil {
		v.Verifier = &pb.Verifier_X509Certificate{X509Certificate: &protocommon.X509Certificate{RawBytes: der}}
	} else {
		der, err := derOf(public)
		if err != nil {
			return err
		}
		v.Verifier = &pb.Verifier_PublicKey{PublicKey: &pb.PublicKey{RawBytes: der}}
	}
	digest := sha256.Sum256((&sign.DSSEData{Data: e.GetPayload(), PayloadType: e.GetPayloadType()}).PreAuthEncoding())
	c, err := write.NewWriter(l.url, client.WithUserAgent("vexxy"), client.WithTimeout(serviceTimeout))
	if err != nil {
		return fmt.Errorf("reading the log's URL: %w", err)
	}
	entry, err := c.Add(ctx, &pb.HashedRekordRequestV002{
		Signature: &pb.Signature{Content: e.GetSignatures()[0].GetSig(), Verifier: v}, Digest: digest[:],
	})
	if err != nil {
		return fmt.Errorf("adding the entry: %w", err)
	}
	m.TlogEntries = append(m.TlogEntries, entry)
	return nil
}
