package attest

import "errors"

// The sizes beyond which a statement is neither written nor read, in bytes of
// its payload. An envelope holds the payload in base64, four bytes for three.
const (
	// MaxStatement bounds every statement. Registries take blobs of gigabytes,
	// and consumers read less: cosign 128 MiB
	// (https://github.com/sigstore/cosign, COSIGN_MAX_ATTACHMENT_SIZE).
	MaxStatement = 32 << 20
	// LogLimit is for a transparency log of Rekor's first version, which is sent
	// the envelope whole. The public instance's limit is not documented
	// (https://github.com/sigstore/rekor/issues/2808): of 2 to 3.5 MB were
	// refused (https://github.com/ublue-os/bluefin/pull/4272,
	// https://github.com/Sage-Bionetworks/sage-monorepo/pull/3982), by a closed
	// connection or a status 502 (https://github.com/sigstore/rekor/issues/2915).
	// Rekor's second version is sent a digest.
	LogLimit = 1_200_000
	// StoreLimit is for GitHub's store of attestations, of which its own action
	// sends predicates of at most 16 MiB
	// (https://github.com/actions/attest/pull/80); the bundle counts here.
	StoreLimit = (16<<20 - 64<<10) / 4 * 3
	// LeastLimit is the least that a limit may be: room for the evidence.
	LeastLimit = 64 << 10
)

// suspect is the size from which a log that hangs up, or is suddenly unwell, is
// taken to refuse for it.
const suspect = 400_000

// ErrTooLarge says that a registry, a log or a store refuses a statement for its
// size.
var ErrTooLarge = errors.New("it is too large")

const tooLargeHint = "make the parts smaller with --attestation-limit, or leave the SBOM out with --attest-sbom none; the documents stay among the results"

// Limit gives the largest statement that the signer's services take.
func (s *Signer) Limit() int {
	for _, r := range s.services.rekor {
		if r.MajorAPIVersion == 1 {
			return LogLimit
		}
	}
	return MaxStatement
}
