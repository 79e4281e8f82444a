package attest

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore-go/pkg/tuf"

	"github.com/vexxy/action/internal/fault"
)

// KeylessOptions say who certifies. Without files it is the public instance.
type KeylessOptions struct {
	SigningConfig, TrustedRoot string
	Getenv                     func(string) string
}

// NewKeylessSigner prepares signing with a key that lives for this run alone
// and a certificate on the identity in the host's token. The token is fetched
// when the first statement is signed.
func NewKeylessSigner(ctx context.Context, o KeylessOptions) (*Signer, error) {
	if err := tokenPossible(o.Getenv); err != nil {
		return nil, err
	}
	var s services
	var tr root.TrustedMaterial
	var err error
	if o.SigningConfig != "" {
		s, tr, err = private(o.SigningConfig, o.TrustedRoot)
	} else {
		s, tr, err = public(ctx)
	}
	if err != nil {
		return nil, err
	}
	if s.fulcio == "" {
		return nil, fault.New(fault.Usage, "add a certificate authority to it, or sign with a key", "preparing keyless signing: %w", errNoAuthority)
	}
	keys, err := sign.NewEphemeralKeypair(nil)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return &Signer{keys: keys, services: s, root: tr, certificate: &certificates{url: s.fulcio, getenv: o.Getenv}}, nil
}

// public fetches the trusted root and the services of sigstore's public
// instance, by TUF from https://tuf-repo-cdn.sigstore.dev.
func public(ctx context.Context) (services, root.TrustedMaterial, error) {
	type both struct {
		services
		root *root.TrustedRoot
	}
	got, err := fetch(ctx, func(o *tuf.Options) (b both, err error) {
		if b.root, err = root.FetchTrustedRootWithOptions(o); err != nil {
			return b, err
		}
		sc, err := root.FetchSigningConfigWithOptions(o)
		if err != nil {
			return b, err
		}
		b.services, err = choose(sc)
		return b, err
	})
	return got.services, got.root, err
}

// PublicRoot fetches the trusted root of sigstore's public instance.
func PublicRoot(ctx context.Context) (root.TrustedMaterial, error) {
	tr, err := fetch(ctx, root.FetchTrustedRootWithOptions)
	if err != nil {
		return nil, err
	}
	return tr, nil
}

// fetch bounds a fetching that knows no context.
func fetch[T any](ctx context.Context, get func(*tuf.Options) (T, error)) (T, error) {
	got, err := await(ctx, signTimeout, func(context.Context) (T, error) {
		return get(tuf.DefaultOptions().WithDisableLocalCache())
	})
	return got, unreachable(err)
}

func unreachable(err error) error {
	var known *fault.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return fault.New(fault.Infra, "check the way to tuf-repo-cdn.sigstore.dev, or name files with sigstore-trusted-root and sigstore-signing-config",
		"fetching sigstore's trusted root: %s", bounded(err.Error()))
}

// certificates gets one certificate for all statements of a run, and another
// when it is about to expire.
type certificates struct {
	url    string
	getenv func(string) string

	mu     sync.Mutex
	held   string // the token
	claims claims
	leaf   *x509.Certificate
	who    certificate.Summary
}

// token gives the identity token, fetched once and again when it has expired.
func (c *certificates) token(ctx context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held != "" && (c.claims.expires().IsZero() || time.Now().Add(time.Minute).Before(c.claims.expires())) {
		return c.held, nil
	}
	token, err := fetchToken(ctx, c.getenv)
	if err != nil {
		return "", err
	}
	claims, err := readClaims(token)
	if err != nil {
		return "", err
	}
	c.held, c.claims = token, claims
	return token, nil
}

// GetCertificate implements sign.CertificateProvider.
func (c *certificates) GetCertificate(ctx context.Context, k sign.Keypair, o *sign.CertificateProviderOptions) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaf != nil && time.Now().Add(time.Minute).Before(c.leaf.NotAfter) {
		return c.leaf.Raw, nil
	}
	fulcio := sign.NewFulcio(&sign.FulcioOptions{BaseURL: c.url, Timeout: -1, Transport: serviceTransport{ctx}})
	der, err := fulcio.GetCertificate(ctx, k, o)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errors.New("the certificate authority's certificate cannot be read")
	}
	who, err := certificate.SummarizeCertificate(leaf)
	if err != nil {
		return nil, errors.New("the certificate authority's certificate names no identity")
	}
	// Fulcio certifies the token's issuer, but for its own log-in, which hands
	// on another's.
	if who.Issuer != c.claims.Issuer && c.claims.Issuer != "https://oauth2.sigstore.dev/auth" {
		return nil, fault.New(fault.Integrity, "find out who answers for the certificate authority before you trust it",
			"the certificate names the issuer %s, the token %s", cut(who.Issuer), cut(c.claims.Issuer))
	}
	c.leaf, c.who = leaf, who
	return der, nil
}

// identity gives whom the certificate is on, empty while there is none.
func (c *certificates) identity() (identity, issuer string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.who.SubjectAlternativeName, c.who.Issuer
}
