package attest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/source"
)

// Bounds of what is read from one registry about one image.
const (
	maxRead         = 256 << 20 // bytes in all
	maxManifest     = 4 << 20   // bytes of a manifest or index
	maxAttestations = 500       // in one layout
	maxPages        = 20        // of a list of referrers
	registryTries   = 4
)

// registry speaks to one repository.
type registry struct {
	repo   name.Repository
	auth   authn.Keychain
	base   http.RoundTripper
	client *http.Client
	// code is the exit code of errors: of attesting or of reading.
	code fault.Code
	// left is how many bytes may still be read.
	left int64
	// patience is the wait before the first repetition.
	patience time.Duration
	// window is the longest time between reading something and writing it anew.
	window time.Duration
}

// openRegistry logs in to a repository. Errors of it all have the code.
func openRegistry(ctx context.Context, repository string, keys authn.Keychain, code fault.Code, actions ...string) (*registry, error) {
	repo, err := name.NewRepository(repository)
	if err != nil {
		return nil, fault.New(fault.Usage, "name an image of a registry", "%q is no repository", cut(repository))
	}
	if keys == nil {
		keys = authn.DefaultKeychain
	}
	r := &registry{repo: repo, auth: keys, base: source.Transport(repo.Registry), code: code, left: maxRead, patience: 500 * time.Millisecond}
	auth, err := authn.Resolve(ctx, keys, repo)
	if err != nil {
		return nil, fault.New(code, "check Docker's configuration of credentials", "reading the credentials for %s: %s", repo.RegistryStr(), bounded(err.Error()))
	}
	scope := "repository:" + repo.RepositoryStr() + ":" + strings.Join(actions, ",")
	t, err := transport.NewWithContext(ctx, repo.Registry, auth, r.base, []string{scope})
	if err != nil {
		return nil, r.fault(ctx, "logging in", err)
	}
	r.client = &http.Client{Transport: t}
	return r, nil
}

// errAbsent says that the registry does not have what was asked for.
var errAbsent = errors.New("the registry does not have it")

// do sends a request and gives an answer of one of the statuses. It asks again
// where the registry is busy, and ends with errAbsent where there is nothing.
func (r *registry) do(ctx context.Context, what, method, path string, header http.Header, body []byte, want ...int) (*http.Response, error) {
	u := url.URL{Scheme: r.repo.Scheme(), Host: r.repo.RegistryStr(), Path: "/v2/" + r.repo.RepositoryStr() + "/" + path}
	if i := strings.IndexByte(path, '?'); i >= 0 {
		u.Path, u.RawQuery = "/v2/"+r.repo.RepositoryStr()+"/"+path[:i], path[i+1:]
	}
	for try := 1; ; try++ {
		req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		if body == nil {
			req.Body = http.NoBody
		}
		for k, v := range header {
			req.Header[k] = v
		}
		resp, err := r.client.Do(req)
		if err == nil {
			if err = transport.CheckError(resp, want...); err == nil {
				return resp, nil
			}
			resp.Body.Close()
			if resp.StatusCode == http.StatusNotFound {
				return nil, errAbsent
			}
		}
		var f *fault.Error
		if errors.As(err, &f) || try == registryTries || !passing(resp, err) {
			return nil, r.fault(ctx, what, err)
		}
		select {
		case <-ctx.Done():
			return nil, r.fault(ctx, what, context.Cause(ctx))
		case <-time.After(r.wait(resp, try)):
		}
	}
}

// passing reports errors that may be gone at the next try.
func passing(resp *http.Response, err error) bool {
	var answered *transport.Error
	if errors.As(err, &answered) {
		return answered.StatusCode == http.StatusTooManyRequests || answered.StatusCode >= 500
	}
	return resp == nil
}

// wait is the pause before the next try: what the registry asks for, at most
// ten seconds, else twice as long each time.
func (r *registry) wait(resp *http.Response, try int) time.Duration {
	if resp != nil {
		if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
			return min(time.Duration(s)*time.Second, 10*time.Second)
		}
	}
	return r.patience << (try - 1)
}

// fault gives an error of the registry its code and hint.
func (r *registry) fault(ctx context.Context, what string, err error) error {
	var known *fault.Error
	var answered *transport.Error
	code, hint, text := r.code, "check the network and the registry, then try again", ""
	switch {
	case context.Cause(ctx) != nil:
		return fault.New(code, hint, "%s at %s: %w", what, r.repo.RegistryStr(), context.Cause(ctx))
	case errors.As(err, &known):
		return fault.New(worse(code, known.Code), known.Hint, "%s at %s: %w", what, r.repo.RegistryStr(), known.Err)
	case errors.As(err, &answered):
		text = "it answers with status " + strconv.Itoa(answered.StatusCode)
		for _, d := range answered.Errors {
			text += ", " + bounded(string(d.Code))
			break
		}
		switch status := answered.StatusCode; {
		case status == http.StatusUnauthorized || status == http.StatusForbidden:
			hint = "log in with docker login " + r.repo.RegistryStr() + " as someone who may write there; on GitHub the job needs `permissions: packages: write`"
			if code != fault.Attest {
				hint = "log in with docker login " + r.repo.RegistryStr() + " as someone who may read there"
			}
		case status == http.StatusTooManyRequests:
			hint = "the registry limits requests: log in, or wait and try again"
		case code == fault.Attest && (status == http.StatusBadRequest || status == http.StatusConflict || status == http.StatusPreconditionFailed):
			hint = "where tags are immutable, exempt those that begin with sha256-, or write bundles alone: --attestation-format bundle"
		case status == http.StatusRequestEntityTooLarge:
			return fault.New(code, tooLargeHint, "%s at %s: %s: %w", what, r.repo.RegistryStr(), text, ErrTooLarge)
		case status >= 500:
			hint = "the registry is unwell: try again later"
		}
	default:
		text = bounded(err.Error())
	}
	return fault.New(code, hint, "%s at %s: %s", what, r.repo.RegistryStr(), text)
}

// worse keeps a breach of integrity one, whoever met it.
func worse(code, known fault.Code) fault.Code {
	if known == fault.Integrity {
		return known
	}
	return code
}

// anyManifest is what is accepted for a manifest.
var anyManifest = []string{string(types.OCIManifestSchema1), string(types.OCIImageIndex), string(types.DockerManifestSchema2), string(types.DockerManifestList)}

// manifest reads a manifest by tag or digest, with its descriptor.
func (r *registry) manifest(ctx context.Context, ref string) ([]byte, v1.Descriptor, error) {
	resp, err := r.do(ctx, "reading "+ref, http.MethodGet, "manifests/"+ref, http.Header{"Accept": anyManifest}, nil, http.StatusOK)
	if err != nil {
		return nil, v1.Descriptor{}, err
	}
	defer resp.Body.Close()
	raw, err := r.read(ctx, resp.Body, maxManifest)
	if err != nil {
		return nil, v1.Descriptor{}, r.fault(ctx, "reading "+ref, err)
	}
	digest := "sha256:" + sum(raw)
	if strings.HasPrefix(ref, "sha256:") && ref != digest {
		return nil, v1.Descriptor{}, fault.New(fault.Integrity, "find out who changed it before you trust it", "the registry's manifest has the digest %s, not %s", digest, ref)
	}
	hash, err := v1.NewHash(digest)
	return raw, v1.Descriptor{MediaType: types.MediaType(resp.Header.Get("Content-Type")), Digest: hash, Size: int64(len(raw))}, err
}

// read reads at most max bytes, and no more than is left of what may be read.
func (r *registry) read(ctx context.Context, body io.Reader, max int64) ([]byte, error) {
	max = min(max, r.left)
	raw, err := io.ReadAll(io.LimitReader(body, max+1))
	r.left -= int64(len(raw))
	if err == nil && int64(len(raw)) > max {
		err = fault.New(r.code, "do not use this registry before you know why", "it sends more than the %d bytes that are read", max)
	}
	return raw, err
}

// blob reads a blob and holds it to its descriptor.
func (r *registry) blob(ctx context.Context, d v1.Descriptor, max int64) ([]byte, error) {
	if d.Size < 0 || d.Size > max {
		return nil, fmt.Errorf("it has %d bytes, more than the %d that are read", d.Size, max)
	}
	resp, err := r.do(ctx, "reading "+d.Digest.String(), http.MethodGet, "blobs/"+d.Digest.String(), nil, nil, http.StatusOK)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	raw, err := r.read(ctx, resp.Body, d.Size)
	if err != nil {
		return nil, r.fault(ctx, "reading "+d.Digest.String(), err)
	}
	if d.Digest.String() != "sha256:"+sum(raw) {
		return nil, fault.New(fault.Integrity, "find out who changed it before you trust it", "the registry's blob %s has other contents", cut(d.Digest.String()))
	}
	return raw, nil
}

// upload writes a blob, unless it is there.
func (r *registry) upload(ctx context.Context, l v1.Layer) error {
	err := remote.WriteLayer(r.repo, l, remote.WithContext(ctx), remote.WithTransport(r.base), remote.WithAuthFromKeychain(r.auth), remote.WithUserAgent("vexxy"),
		remote.WithRetryBackoff(remote.Backoff{Duration: r.patience, Factor: 2, Steps: registryTries}))
	if err != nil {
		return r.fault(ctx, "writing a blob", err)
	}
	return nil
}

// put writes a manifest under a tag or its digest. indexed says that the
// registry lists it with its subject's referrers by itself.
func (r *registry) put(ctx context.Context, ref string, raw []byte, mediaType types.MediaType) (indexed bool, err error) {
	resp, err := r.do(ctx, "writing "+ref, http.MethodPut, "manifests/"+ref, http.Header{"Content-Type": {string(mediaType)}}, raw,
		http.StatusOK, http.StatusCreated, http.StatusAccepted)
	if errors.Is(err, errAbsent) {
		return false, fault.New(r.code, "check that the repository exists and that you may write to it", "writing %s at %s: the registry has no such repository", ref, r.repo.RegistryStr())
	}
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	return resp.Header.Get("OCI-Subject") != "", nil
}

// remove deletes a manifest. Not every registry lets its users do so.
func (r *registry) remove(ctx context.Context, digest string) error {
	resp, err := r.do(ctx, "deleting "+digest, http.MethodDelete, "manifests/"+digest, nil, nil, http.StatusAccepted, http.StatusOK, http.StatusNoContent)
	if errors.Is(err, errAbsent) {
		return nil
	}
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
