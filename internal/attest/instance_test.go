package attest

import (
	"strings"
	"testing"

	"github.com/vexxy/action/internal/attest/attesttest"
)

const (
	testIdentity = attesttest.Identity
	testIssuer   = attesttest.Issuer
)

// instance is a private sigstore instance with what signs and trusts by it.
type instance struct{ *attesttest.Instance }

func newInstance(t testing.TB, withTSA bool) instance {
	t.Helper()
	return instance{attesttest.NewInstance(t, withTSA)}
}

func (i instance) signer(t testing.TB) *Signer {
	t.Helper()
	s, err := NewKeylessSigner(t.Context(), KeylessOptions{SigningConfig: i.SigningConfig, TrustedRoot: i.TrustedRoot, Getenv: i.Getenv})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (i instance) trust(t testing.TB) Trust {
	t.Helper()
	tr, err := ReadTrustedRoot(i.TrustedRoot)
	if err != nil {
		t.Fatal(err)
	}
	return Trust{Identity: testIdentity, Issuer: testIssuer, Root: tr}
}

// noCanary reports secrets in texts.
func noCanary(t testing.TB, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if at := strings.Index(text, "canary"); at >= 0 {
			t.Errorf("a secret is printed: %.120q", text[at:])
		}
	}
}
