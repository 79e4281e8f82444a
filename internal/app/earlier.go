package app

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vexxy/action/internal/attest"
	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/config"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/run"
	"github.com/vexxy/action/internal/source"
	"github.com/vexxy/action/internal/subject"
)

// earlier finds what was attested to an image's predecessor.
type earlier struct {
	image, platform string
	run             string // this one's ID
	// trust says whose word counts. What is asked of others for it is asked when
	// it is needed: where they do not answer, the baseline is unusable.
	trust func(context.Context) (attest.Trust, error)
	note  func(string)
}

// attestedBaseline gives what the run's plan needs of a baseline that is an attestation,
// nil where none is asked for. A file or a name that is no key's is an error.
func attestedBaseline(ctx context.Context, cfg config.Config, id string, getenv func(string) string, own run.Attester, guard baseline.Guard, note func(string)) (func(context.Context, subject.Subject, bool) baseline.Baseline, error) {
	if !cfg.Earlier().Attested {
		return nil, nil
	}
	trust, err := trusted(ctx, cfg, getenv, own, guard)
	e := earlier{image: cfg.Earlier().Image, platform: cfg.Platform, run: id, trust: trust, note: note}
	return e.find, err
}

// trusted finds whom the inputs trust for a baseline. A key that stays in its
// system is asked for once, and a run's own key counts where the run has opened it.
func trusted(ctx context.Context, cfg config.Config, getenv func(string) string, own run.Attester, guard baseline.Guard) (func(context.Context) (attest.Trust, error), error) {
	want := cfg.Earlier()
	t := attest.Trust{Identity: want.Identity, IdentityPattern: want.IdentityPattern, Issuer: want.Issuer}
	var err error
	switch a, signs := own.(*attester); {
	case attest.Managed(want.Key):
		key := sync.OnceValues(func() (crypto.PublicKey, error) { return attest.LoadPublicKey(ctx, want.Key, getenv) })
		return func(context.Context) (t attest.Trust, err error) {
			t.Key, err = key()
			return t, err
		}, attest.CheckName(want.Key)
	case want.Key != "":
		t.Key, err = publicKey(ctx, want.Key, getenv, guard)
	case want.Issuer != "" && cfg.Attest.TrustedRoot != "":
		err = readRoot(&t, cfg.Attest.TrustedRoot, guard)
	case want.Issuer != "":
		return func(ctx context.Context) (_ attest.Trust, err error) {
			t := t
			t.Root, err = attest.PublicRoot(ctx)
			return t, err
		}, nil
	case !signs || a.signer == nil:
		why := "this job signs nothing"
		if signs && a.barred != "" {
			why = a.barred
		}
		return nobody("attest-key's own key is to vouch for it, and is not opened here: " + why), nil
	case brought(cfg.Attest.Key, guard):
		return nobody("attest-key's own key is to vouch for it, and is a file that the change may have brought"), nil
	default:
		t = a.signer.Trust()
	}
	if err == nil {
		err = attest.Policy{Trust: t}.Check()
	}
	return func(context.Context) (attest.Trust, error) { return t, nil }, err
}

// nobody is whose word counts where it cannot be known, and why.
func nobody(why string) func(context.Context) (attest.Trust, error) {
	unknown := fault.New(fault.Usage, "name its public key by baseline-key", "%s", why)
	return func(context.Context) (attest.Trust, error) { return attest.Trust{}, unknown }
}

// brought reports whether a key is a file of a change that is to be merged: its
// author would vouch for what of the change is old.
func brought(key string, guard baseline.Guard) bool {
	if key == "" || strings.HasPrefix(key, "env://") || attest.Managed(key) {
		return false
	}
	_, instead, err := guard(key, maxTrust)
	return instead || err != nil
}

// maxTrust bounds a file that says who is trusted.
const maxTrust = 4 << 20

// publicKey reads a key out of a file or a variable. A pull request that brought
// its own would say itself whose word on what is old counts.
func publicKey(ctx context.Context, ref string, getenv func(string) string, guard baseline.Guard) (crypto.PublicKey, error) {
	if strings.HasPrefix(ref, "env://") {
		return attest.LoadPublicKey(ctx, ref, getenv)
	}
	data, instead, err := guard(ref, maxTrust)
	switch {
	case err != nil:
		return nil, fault.New(fault.Usage, "name a key that the change does not bring, env://NAME, or SYSTEM://… of a key management system", "reading the public key from %.200q: %w", ref, err)
	case instead:
		return attest.ParsePublicKey(data, ref)
	}
	return attest.LoadPublicKey(ctx, ref, getenv)
}

// readRoot reads a trusted root as publicKey reads a key.
func readRoot(t *attest.Trust, path string, guard baseline.Guard) error {
	data, instead, err := guard(path, maxTrust)
	switch {
	case err != nil:
		return fault.New(fault.Usage, "name a file that the change does not bring", "reading sigstore-trusted-root: %w", err)
	case instead:
		t.Root, err = attest.ParseTrustedRoot(data)
	default:
		t.Root, err = attest.ReadTrustedRoot(path)
	}
	return err
}

// find gives the baseline of an image. It is one with a problem where nothing is
// attested, where nobody who is trusted did, and where it cannot be known: all
// counts as new then.
func (e *earlier) find(ctx context.Context, s subject.Subject, _ bool) baseline.Baseline {
	b, err := e.look(ctx, s)
	if err != nil {
		b = baseline.Unusable("attestation", fmt.Errorf("looking for an attested baseline: %w", err))
	}
	if !b.Usable() {
		e.note("everything counts as new: " + b.Problem)
	}
	return b
}

var errUnattested = errors.New("no earlier image of the repository has one of a run that passed, by whom baseline-key or baseline-identity name")

func (e *earlier) look(ctx context.Context, s subject.Subject) (baseline.Baseline, error) {
	if s.Local() || s.Repository == "" {
		return baseline.Baseline{}, errors.New("the image was never pushed")
	}
	trust, err := e.trust(ctx)
	if err != nil {
		return baseline.Baseline{}, err
	}
	why := errUnattested
	for _, at := range e.candidates(s) {
		digest, err := at.resolve(ctx, s, e.platform)
		if err != nil {
			if e.image != "" {
				return baseline.Baseline{}, err
			}
			continue // there need be no such tag
		}
		// Trusted is who signed, whatever the evidence is worth: that is the baseline's to say.
		policy := attest.Policy{Trust: trust, Inconclusive: true, Now: time.Now()}
		v, document, reason, err := attest.Earlier(ctx, s.Repository, digest, nil, policy)
		if err != nil {
			return baseline.Baseline{}, err
		}
		if reason != "" {
			why = fmt.Errorf("%w: %s@%s: %s", errUnattested, s.Repository, digest, reason)
			continue
		}
		if unapproved := e.unapproved(v); unapproved != "" {
			why = fmt.Errorf("%w: %s@%s: %s", errUnattested, s.Repository, digest, unapproved)
			continue
		}
		if v.Image.Platform != s.Platform.String() {
			return baseline.Baseline{}, fmt.Errorf("the one at %s@%s is for the platform %.60q", s.Repository, digest, v.Image.Platform)
		}
		return baseline.FromAttestation(baseline.Attested{
			From: "attestation:" + s.Repository + "@" + digest, RunID: v.Run.ID, Version: v.Tool.Version, FinishedAt: v.Run.FinishedAt,
			Repository: s.Repository, Digest: digest, Platform: v.Image.Platform, Sufficient: !v.Inconclusive,
			Document: document, Spellings: v.Spellings,
		}), nil
	}
	return baseline.Baseline{}, why
}

// unapproved says why what was attested cannot make anything old. A run that
// fails its gate is attested too: by it, a second try of the same image would
// find nothing new.
func (e *earlier) unapproved(v attest.Evidence) string {
	switch {
	case v.Run.ID == e.run:
		return "it is of this very run"
	case !v.Inconclusive && v.Verdict != string(gate.VerdictPass):
		return "the run that it is of did not pass"
	}
	return ""
}

// candidate is an image that may have been attested: by its digest, or by a
// reference.
type candidate struct{ digest, reference string }

// candidates are the images to look at, in their order: the one that was named,
// or the image itself, what its tag is now, and the tag latest.
func (e *earlier) candidates(s subject.Subject) []candidate {
	if e.image != "" {
		return []candidate{{reference: e.image}}
	}
	all := []candidate{{digest: s.ManifestDigest}}
	for _, tag := range []string{s.Tag, "latest"} {
		if c := (candidate{reference: s.Repository + ":" + tag}); tag != "" && !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	return all
}

// resolve gives the digest of the manifest for the platform.
func (c candidate) resolve(ctx context.Context, s subject.Subject, platform string) (string, error) {
	if c.digest != "" {
		return c.digest, nil
	}
	if platform == "" {
		platform = s.Platform.String()
	}
	img, err := source.Resolve(ctx, "registry:"+c.reference, source.Options{Platform: platform})
	if err != nil {
		return "", err
	}
	defer img.Close()
	if img.Repository != s.Repository {
		return "", fault.New(fault.Usage, "name an image of the same repository", "%s is of the repository %.200q, the image of %.200q", c.reference, img.Repository, s.Repository)
	}
	return img.ManifestDigest, nil
}
