package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/vexxy/action/internal/bearer"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/sticky"
)

// Stored is an attestation in GitHub's store.
type Stored struct {
	// ID is the store's, 0 for one that was there already or whose answer got
	// lost.
	ID int64
	// URL leads to its page, empty where it is not known.
	URL string
	// Unread says that the store lists the digest's attestations without their
	// contents, so that this one could not be read back.
	Unread bool
}

const attestationsRight = "attestations: write"

// StoreAttestation puts a sigstore bundle about a digest into the store of a
// repository's attestations, and reads it back: what the store then gives is
// the very envelope. One that is there already stays the only one
// (https://docs.github.com/rest/repos/attestations). A failure has the code of
// attesting.
func (a *API) StoreAttestation(ctx context.Context, owner, repo, digest string, bundle []byte) (Stored, error) {
	doing := "storing an attestation at GitHub"
	want, err := envelopeOf(bundle)
	if err != nil {
		return Stored{}, fmt.Errorf("%s: %w", doing, err)
	}
	path := fmt.Sprintf("repos/%s/%s/attestations", url.PathEscape(owner), url.PathEscape(repo))
	switch got, err := a.lookUp(ctx, path, digest, want); {
	case err != nil:
		return Stored{}, storeFault(doing, err)
	case got == there:
		return Stored{}, nil
	}
	var made struct {
		ID int64 `json:"id"`
	}
	tried := false
	if f := a.patiently(ctx, func(ctx context.Context) sticky.Failure {
		if tried { // the answer may have got lost, and not the request
			if got, err := a.lookUp(ctx, path, digest, want); err == nil && got == there {
				return sticky.Failure{Kind: sticky.Answered}
			}
		}
		tried = true
		_, f := a.tryExchange(ctx, http.MethodPost, path, map[string]json.RawMessage{"bundle": bundle}, &made)
		return f
	}); f.Kind != sticky.Answered {
		return Stored{}, storeFault(doing, &apiFault{f})
	}
	s := Stored{ID: made.ID}
	switch got, err := a.lookUp(ctx, path, digest, want); {
	case err != nil:
		return Stored{}, storeFault(doing+" and reading it back", err)
	case got == unknown:
		s.Unread = true
	case got == absent:
		return Stored{}, fault.New(fault.Attest, "try again; see https://www.githubstatus.com", "%s: the store took it as %d and does not give it back", doing, made.ID)
	}
	if s.ID != 0 && a.client.BaseURL.Host == "api.github.com" {
		s.URL = fmt.Sprintf("https://github.com/%s/%s/attestations/%d", owner, repo, made.ID)
	}
	return s, nil
}

// envelope is what is compared of a bundle: the store may write the rest anew.
type envelope struct {
	Payload    string `json:"payload"`
	Signatures []struct {
		Sig string `json:"sig"`
	} `json:"signatures"`
}

func (e envelope) same(o envelope) bool {
	return e.Payload == o.Payload && len(e.Signatures) == 1 && len(o.Signatures) == 1 && e.Signatures[0].Sig == o.Signatures[0].Sig
}

func envelopeOf(bundle []byte) (envelope, error) {
	var b struct {
		Envelope envelope `json:"dsseEnvelope"`
	}
	if err := json.Unmarshal(bundle, &b); err != nil {
		return envelope{}, fmt.Errorf("reading a bundle: %s", text(err.Error(), 200))
	}
	if b.Envelope.Payload == "" || len(b.Envelope.Signatures) != 1 {
		return envelope{}, errors.New("reading a bundle: it has no envelope with one signature")
	}
	return b.Envelope, nil
}

// pageOf is how many of a digest's attestations are asked for at a time, and one
// alone where the answer was too long: each may be of many megabytes, whoever
// stored it, and the answer is bounded. maxStored is how often is asked.
const (
	pageOf    = 10
	maxStored = 50
)

// found is what is known of an envelope in the store.
type found int

const (
	absent  found = iota
	unknown       // something is there, and the store does not say what
	there
)

// lookUp looks for the envelope among a digest's attestations.
func (a *API) lookUp(ctx context.Context, path, digest string, want envelope) (found, error) {
	after, got, size := "", absent, pageOf
	for range maxStored {
		var list struct {
			Attestations []struct {
				Bundle    json.RawMessage `json:"bundle"`
				BundleURL string          `json:"bundle_url"`
			} `json:"attestations"`
		}
		next, err := a.get(ctx, fmt.Sprintf("%s/%s?per_page=%d%s", path, url.PathEscape(digest), size, after), &list)
		var f *apiFault
		if errors.As(err, &f) && f.Kind == sticky.Missing {
			return absent, nil // nothing is stored for the digest
		}
		if f != nil && f.Kind == sticky.TooLong && size > 1 {
			size = 1
			continue
		}
		if err != nil {
			return absent, err
		}
		for _, one := range list.Attestations {
			if e, err := envelopeOf(one.Bundle); err == nil && e.same(want) {
				return there, nil
			} else if err != nil && one.BundleURL != "" {
				got = unknown
			}
		}
		if next == "" {
			return got, nil
		}
		size = pageOf
		after = "&after=" + url.QueryEscape(next)
	}
	return got, nil
}

// apiFault is a failure as an error.
type apiFault struct{ sticky.Failure }

func (f *apiFault) Error() string { return f.What }

// get asks, again where that may help, and reads the answer.
func (a *API) get(ctx context.Context, path string, into any) (next string, err error) {
	f := a.patiently(ctx, func(ctx context.Context) (f sticky.Failure) {
		next, f = a.tryExchange(ctx, http.MethodGet, path, nil, into)
		return f
	})
	if f.Kind != sticky.Answered {
		return "", &apiFault{f}
	}
	return next, nil
}

func (a *API) tryExchange(ctx context.Context, method, path string, body, into any) (string, sticky.Failure) {
	ctx, cancel := a.once(ctx)
	defer cancel()
	req, err := a.client.NewRequest(method, path, body)
	if err != nil {
		return "", sticky.Failure{Kind: sticky.Refused, What: text(err.Error(), 200)}
	}
	resp, err := a.client.Do(ctx, req, into)
	if errors.Is(err, bearer.ErrTooLong) {
		return "", sticky.Failure{Kind: sticky.TooLong, What: text(err.Error(), 200)}
	}
	if err != nil {
		return "", fail(err)
	}
	return resp.After, sticky.Failure{Kind: sticky.Answered}
}

// storeFault tells what to do about a failure.
func storeFault(doing string, err error) error {
	var f *apiFault
	if !errors.As(err, &f) {
		return fault.New(fault.Attest, "try again", "%s: %w", doing, err)
	}
	hint := "try again; see https://www.githubstatus.com"
	switch {
	case f.Status == http.StatusUnauthorized:
		hint = "github-token is not valid any more: pass ${{ github.token }}, with `" + attestationsRight + "` in the job's permissions"
	case f.Kind == sticky.Denied || f.Kind == sticky.Missing:
		hint = "add `" + attestationsRight + "` to the job's permissions; private repositories need GitHub Enterprise Cloud for it"
	case f.Status == http.StatusRequestEntityTooLarge:
		return fault.New(fault.Attest, "make the parts smaller with attestation-limit, or leave attest-github-store off", "%s: %s", doing, f.What)
	case f.Kind == sticky.Limited:
		hint = "GitHub limits the requests of this token: wait, or run fewer jobs at a time"
	case f.Kind == sticky.Refused:
		hint = "the store takes keyless attestations by sigstore's public instance or GitHub's; leave attest-github-store off for others"
	}
	return fault.New(fault.Attest, hint, "%s: %s", doing, f.What)
}
