package attest

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/vexxy/action/internal/config"
	"github.com/vexxy/action/internal/fault"
)

// signTimeout bounds the signing of one statement with all its services.
const signTimeout = 2 * time.Minute

// Signer signs statements.
type Signer struct {
	keys     sign.Keypair
	public   crypto.PublicKey // of a key of the user's; nil for keyless signing
	services services
	// certificate is set for keyless signing.
	certificate *certificates
	root        root.TrustedMaterial
}

// KeyOptions say with which key to sign.
type KeyOptions struct {
	// Key is a file, env://NAME, or a key management system's SYSTEM://….
	Key      string
	Password config.Secret
	Getenv   func(string) string
	// SigningConfig and TrustedRoot are files. Without a signing configuration
	// nothing is sent to any service: the signature stands for itself.
	SigningConfig, TrustedRoot string

	// limit bounds each use of a key management system; 0 is kmsTimeout.
	limit time.Duration
}

// NewKeySigner opens the key.
func NewKeySigner(ctx context.Context, o KeyOptions) (*Signer, error) {
	if o.limit == 0 {
		o.limit = kmsTimeout
	}
	k, err := loadKey(ctx, o.Key, o.Password, o.Getenv, o.limit)
	if err != nil {
		return nil, err
	}
	s := &Signer{keys: k, public: k.public}
	if o.SigningConfig == "" {
		return s, nil
	}
	if s.services, s.root, err = private(o.SigningConfig, o.TrustedRoot); err != nil {
		return nil, err
	}
	s.services.fulcio = ""
	return s, nil
}

// signed is a statement with its signature in both forms.
type signed struct {
	Statement
	bundle *bundle.Bundle
	// data is the bundle as JSON.
	data []byte
	// envelope is the DSSE envelope as JSON, as the transparency log knows it.
	envelope []byte
}

// sign signs one statement and verifies the result.
func (s *Signer) sign(ctx context.Context, st Statement) (signed, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, signTimeout, fmt.Errorf("not signed after %s", signTimeout))
	defer cancel()
	o := sign.BundleOptions{Context: ctx, TrustedRoot: s.root}
	if s.certificate != nil {
		token, err := s.certificate.token(ctx)
		if err != nil {
			return signed{}, err
		}
		o.CertificateProvider, o.CertificateProviderOptions = s.certificate, &sign.CertificateProviderOptions{IDToken: token}
	} else {
		o.TrustedRoot = nil // it knows no keys; Trust verifies with the key and the root
	}
	o.TransparencyLogs, o.TimestampAuthorities = s.services.logs(ctx, s.keys), s.services.authorities(ctx)
	raw, err := sign.Bundle(&sign.DSSEData{Data: st.Payload, PayloadType: payloadType}, s.keys, o)
	if err != nil {
		if cause := context.Cause(ctx); cause == nil && s.Limit() == LogLimit && len(st.Payload) >= suspect && hungUp(err) {
			err = fmt.Errorf("%w: %w", tooLarge{len(st.Payload)}, err)
		}
		return signed{}, signFault(ctx, st.Name, err)
	}
	return newSigned(st, raw)
}

func newSigned(st Statement, raw *protobundle.Bundle) (signed, error) {
	b, err := bundle.NewBundle(raw)
	if err != nil {
		return signed{}, fmt.Errorf("reading the bundle of the %s statement: %w", st.Name, err)
	}
	data, err := b.MarshalJSON()
	if err != nil {
		return signed{}, fmt.Errorf("encoding the bundle of the %s statement: %w", st.Name, err)
	}
	var compact bytes.Buffer // the encoder puts spaces in at random
	if err := json.Compact(&compact, data); err != nil {
		return signed{}, fmt.Errorf("encoding the bundle of the %s statement: %w", st.Name, err)
	}
	// The log's entry holds the digest of the envelope in these very bytes.
	envelope, err := json.Marshal(raw.GetDsseEnvelope())
	if err != nil {
		return signed{}, fmt.Errorf("encoding the envelope of the %s statement: %w", st.Name, err)
	}
	return signed{st, b, compact.Bytes(), envelope}, nil
}

// tooLarge marks an error of a statement that is probably too large.
type tooLarge struct{ bytes int }

func (t tooLarge) Error() string { return fmt.Sprintf("%d bytes", t.bytes) }

// hungUp reports whether a service ended the exchange, or was unwell.
func hungUp(err error) bool {
	var no refusal
	if errors.As(err, &no) {
		return no.status >= 500
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// signFault gives an error of signing its code and hint. Nothing that services
// write reaches a message whole.
func signFault(ctx context.Context, name string, err error) error {
	var known *fault.Error
	if errors.As(err, &known) {
		return fault.New(known.Code, known.Hint, "signing the %s statement: %w", name, known.Err)
	}
	var no refusal
	if large := (tooLarge{}); errors.As(err, &large) {
		return fault.New(fault.Attest, tooLargeHint, "signing the %s statement of %d bytes: the log takes none, which it does of what is too large for it (%s): %w",
			name, large.bytes, bounded(err.Error()), ErrTooLarge)
	}
	if errors.As(err, &no) && no.status == http.StatusRequestEntityTooLarge {
		return fault.New(fault.Attest, tooLargeHint, "signing the %s statement: %s: %w", name, no, ErrTooLarge)
	}
	text := bounded(err.Error())
	if cause := context.Cause(ctx); cause != nil {
		text = cause.Error()
	}
	return fault.New(fault.Attest, "try again; see https://status.sigstore.dev for the public services", "signing the %s statement: %s", name, text)
}

// Trust gives what the signer's own signatures must be verified with. For
// keyless signing it is whole once something was signed.
func (s *Signer) Trust() Trust {
	t := Trust{Key: s.public, Root: s.root}
	if s.public != nil {
		t.Logged = len(s.services.rekor) > 0
	} else if s.certificate != nil {
		t.Identity, t.Issuer = s.certificate.identity()
	}
	return t
}

// PublicKey gives the key in PEM form, nil for keyless signing.
func (s *Signer) PublicKey() []byte {
	if s.public == nil {
		return nil
	}
	text, err := cryptoutils.MarshalPublicKeyToPEM(s.public)
	if err != nil {
		return nil
	}
	return text
}

// prepare gets what must be known before anything is signed: for keyless
// signing the identity, by a certificate on it.
func (s *Signer) prepare(ctx context.Context) error {
	if s.certificate == nil {
		return nil
	}
	token, err := s.certificate.token(ctx)
	if err == nil {
		_, err = s.certificate.GetCertificate(ctx, s.keys, &sign.CertificateProviderOptions{IDToken: token})
	}
	if err != nil {
		return signFault(ctx, "first", err)
	}
	return nil
}
