package source

import (
	"net/http"

	"github.com/google/go-containerregistry/pkg/name"
)

// Transport carries requests to one registry in the way of Resolve: it refuses
// hosts that the registry has no business to point to and credentials in the
// clear, bounds all answers but blobs in size and every answer in the time
// without a byte, and holds manifests that are asked for by digest to it.
func Transport(registry name.Registry) http.RoundTripper {
	return newGuard(registry, Options{}.defaults())
}
