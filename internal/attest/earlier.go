package attest

import (
	"context"

	"github.com/google/go-containerregistry/pkg/authn"
)

// Earlier gives what an image's newest evidence by whom the policy trusts says,
// with its OpenVEX document, which is nil for an image without findings. Nothing
// is given that does not meet the policy: why says in one line what is missing
// then. The error is that of Verify.
func Earlier(ctx context.Context, repository, digest string, keys authn.Keychain, p Policy) (e Evidence, document []byte, why string, err error) {
	v, err := Verify(ctx, repository, digest, keys, p)
	if err != nil {
		return e, nil, "", err
	}
	if !v.Verified {
		return e, nil, v.Reasons[0], nil
	}
	document, err = v.OpenVEX()
	return *v.Evidence, document, "", err
}
