package github

import (
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/fault"
)

// A bundle of just the size that the store takes is stored and found again,
// though no answer may hold it and the other that is there; one beyond it is not,
// and the hint says what makes it smaller.
func TestStoreAtItsLimit(t *testing.T) {
	s, api := newStore(t)
	api.budget, api.request = time.Minute, time.Minute
	of := func(first string, request int) []byte {
		around := len(signedBundle("")) + len(`{"bundle":}`) + 1 // the encoder's last line ends
		return signedBundle(first + strings.Repeat("A", request-around-len(first)))
	}
	s.bundles = append(s.bundles, of("b25l", storeTakes))
	for _, id := range []int64{102, 0} { // stored, and found again
		got, err := api.StoreAttestation(t.Context(), "octo", "app", storeDigest, of("dHdv", storeTakes))
		if err != nil || got.Unread || got.ID != id || s.posts != 1 || len(s.bundles) != 2 {
			t.Fatalf("%+v, %v, %d requests, %d bundles", got, err, s.posts, len(s.bundles))
		}
	}
	got, err := api.StoreAttestation(t.Context(), "octo", "app", storeDigest, of("Zml2", storeTakes+2))
	if fault.CodeOf(t.Context(), err) != fault.Attest || !strings.Contains(err.Error(), "413") || !strings.Contains(fault.HintOf(err), "attestation-limit") || got.ID != 0 || len(s.bundles) != 2 {
		t.Errorf("%+v, %v (%s), %d bundles", got, err, fault.HintOf(err), len(s.bundles))
	}
}
