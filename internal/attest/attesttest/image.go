// Package attesttest puts images into registries, for tests of what is attested
// to them, and plays the systems that keep the keys.
package attesttest

import (
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Push writes an image of one layer of noise into the registry at a host, as
// team/app:v1, and gives its digest.
func Push(t testing.TB, host string) (ref name.Reference, digest string) {
	t.Helper()
	ref, err := name.ParseReference(host + "/team/app:v1")
	if err != nil {
		t.Fatal(err)
	}
	img, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
	hash, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return ref, hash.String()
}
