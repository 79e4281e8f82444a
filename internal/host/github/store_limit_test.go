package github

import (
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/fault"
)

// A bundle of just the size that the store takes is stored and found again,
// though as many more such are there as no answer may hold; one beyond it is not,
// and the hint says what makes it smaller.
func TestStoreAtItsLimit(t *testing.T) {
	s, api := newStore(t)
	api.budget, api.request = time.Minute, time.Minute
	of := func(first string, request int) []byte {
		around := len(signedBundle("")) + len(`{"bundle":}`) + 1 // the encoder's last line ends
		return signedBundle(first + strings.Repeat("A", request-around-len(first)))
	}
	for n, first := range []string{"b25l", "dHdv", "dHJl", "Zm91"} {
		for try := range 2 {
			posts := s.posts
			got, err := api.StoreAttestation(t.Context(), "octo", "app", storeDigest, of(first, storeTakes))
			if err != nil || got.Unread || (got.ID == 0) != (try == 1) || s.posts-posts != 1-try || len(s.bundles) != n+1 {
				t.Fatalf("bundle %d, try %d: %+v, %v, %d requests, %d bundles", n, try, got, err, s.posts-posts, len(s.bundles))
			}
		}
	}
	got, err := api.StoreAttestation(t.Context(), "octo", "app", storeDigest, of("Zml2", storeTakes+2))
	if fault.CodeOf(t.Context(), err) != fault.Attest || !strings.Contains(err.Error(), "413") || !strings.Contains(fault.HintOf(err), "attestation-limit") || got.ID != 0 || len(s.bundles) != 4 {
		t.Errorf("%+v, %v (%s), %d bundles", got, err, fault.HintOf(err), len(s.bundles))
	}
}
