package attest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/subject"
)

// publishTimeout bounds the attesting of one image, signing included.
const publishTimeout = 10 * time.Minute

// Options say how a Publisher attaches what it signs.
type Options struct {
	Signer *Signer
	// Layouts are those to write, at least one.
	Layouts []Layout
	// Version is vexxy's own, for the annotation by which it knows its own.
	Version string
	// Keychain gives the credentials of registries; nil is Docker's
	// configuration.
	Keychain authn.Keychain

	// settle is how long the writer waits before its last look, where others
	// may have overwritten it meanwhile; 0 is one second.
	settle time.Duration
	// alone is for tests of writers that do not know of each other.
	alone bool
}

// Publisher attaches statements to images. It writes for one image at a time.
type Publisher struct {
	o  Options
	mu sync.Mutex
}

// NewPublisher makes a publisher.
func NewPublisher(o Options) *Publisher {
	if o.settle == 0 {
		o.settle = time.Second
	}
	return &Publisher{o: o}
}

// Outcome is what became of one statement.
type Outcome string

// The outcomes: it was written, or the very same was there already.
const (
	Attested  Outcome = "attested"
	Unchanged Outcome = "unchanged"
)

// Receipt is one statement as it was read back from the registry, and verified.
type Receipt struct {
	Statement     string
	PredicateType string
	Layout        Layout
	Outcome       Outcome
	// Reference is the manifest that holds it, Subject the image; both are
	// REPOSITORY@DIGEST.
	Reference, Subject string
	// PayloadSHA256 is of the bytes that are signed, in hexadecimal digits.
	PayloadSHA256 string
	Signature     Signature
}

// Published is what became of an image's statements.
type Published struct {
	Receipts []Receipt
	// Replaced are older attestations of vexxy's that are gone, Notes what the
	// user should know.
	Replaced, Notes []string
	// Bundles are the signatures, made now or found, by the statement's name.
	Bundles map[string][]byte
}

// Publish signs the statements and attaches them to the image, in the place of
// what vexxy attached by the same signer before. What others attached is not
// touched. Everything is fetched again and verified before it returns; what is
// not as it was written is a fault of integrity.
//
// Registries know no transaction: where attestations share a manifest (cosign's
// tag, and the list of referrers of a registry without the API) a writer that
// comes between is noticed by reading again, and everyone's part written anew.
func (p *Publisher) Publish(ctx context.Context, s subject.Subject, statements []Statement) (Published, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, publishTimeout, fmt.Errorf("not attested after %s", publishTimeout))
	defer cancel()
	if s.Local() || s.Repository == "" {
		return Published{}, ErrLocal
	}
	if !p.o.alone {
		p.mu.Lock()
		defer p.mu.Unlock()
	}
	if err := p.o.Signer.prepare(ctx); err != nil {
		return Published{}, err
	}
	r, err := openRegistry(ctx, s.Repository, p.o.Keychain, fault.Attest, "pull", "push")
	if err != nil {
		return Published{}, err
	}
	w := writer{
		Publisher: p, r: r, digest: s.ManifestDigest, statements: statements, layouts: slices.Clone(p.o.Layouts),
		trust: p.o.Signer.Trust(), signed: map[string]signed{}, wrote: map[string]bool{}, stuck: map[string]bool{},
		out: Published{Bundles: map[string][]byte{}},
	}
	err = w.run(ctx)
	return w.out, err
}
