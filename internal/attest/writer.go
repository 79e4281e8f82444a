package attest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/sigstore/cosign/v2/pkg/oci"

	"github.com/vexxy/action/internal/fault"
)

// rounds is how often the writer looks and writes again when others write at
// the same time.
const rounds = 12

// longestSettle bounds how long a writer waits for slower ones.
const longestSettle = 10 * time.Second

// writer is one call of Publish.
type writer struct {
	*Publisher
	r          *registry
	digest     string
	statements []Statement
	layouts    []Layout
	trust      Trust
	signed     map[string]signed // by the statement's name
	// wrote are the layers that this call has written, stuck the manifests that
	// the registry would not delete.
	wrote, stuck map[string]bool
	out          Published
}

// run writes until all is there and stays there.
func (w *writer) run(ctx context.Context) error {
	settled := false
	for round := 0; ; round++ {
		w.r.left = maxRead
		s, err := w.r.survey(ctx, w.digest)
		if err != nil {
			return err
		}
		if round == 0 {
			if err := w.possible(s); err != nil {
				return err
			}
		}
		d, err := w.diff(s)
		if err != nil {
			return err
		}
		if d.done() {
			if round == 0 || settled || s.list.api && !slices.Contains(w.layouts, LayoutLegacy) {
				w.out.Receipts = d.receipts
				return nil
			}
			settled = true
			// A writer that read before this one wrote may yet write: it takes
			// about as long for it as it took here.
			if err := w.pause(ctx, w.o.settle+min(4*w.r.window, longestSettle)); err != nil {
				return err
			}
			continue
		}
		if round == rounds {
			return fault.New(fault.Attest, "let only one run at a time attest to this image: a concurrency group on GitHub, a resource_group on GitLab",
				"attesting to %s@%s: what was written is not there after %d tries", w.r.repo.Name(), w.digest, rounds)
		}
		settled = false
		if round > 0 {
			if err := w.pause(ctx, rand.N(min(w.o.settle, 200*time.Millisecond<<round))); err != nil {
				return err
			}
		}
		if err := w.write(ctx, s, d); err != nil {
			return err
		}
	}
}

func (w *writer) pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return w.r.fault(ctx, "attesting", context.Cause(ctx))
	case <-time.After(d):
		return nil
	}
}

// possible drops the layout of bundles where the registry cannot keep it.
func (w *writer) possible(s shelf) error {
	if s.list.broken == "" || !slices.Contains(w.layouts, LayoutBundle) {
		return nil
	}
	w.layouts = slices.DeleteFunc(w.layouts, func(l Layout) bool { return l == LayoutBundle })
	if len(w.layouts) == 0 {
		return fault.New(fault.Attest, "write cosign's older layout: --attestation-format legacy", "attaching a bundle to %s: %s", w.r.repo.Name(), s.list.broken)
	}
	w.note("no bundle is attached to %s: %s", w.r.repo.Name(), s.list.broken)
	return nil
}

func (w *writer) note(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); !slices.Contains(w.out.Notes, n) {
		w.out.Notes = append(w.out.Notes, n)
	}
}

// difference is what must be done in one layout each.
type difference struct {
	add      map[Layout][]Statement
	drop     map[Layout][]found
	receipts []Receipt
}

func (d difference) done() bool { return len(d.add) == 0 && len(d.drop) == 0 }

// diff holds what is there against what should be. An attestation counts as
// there when its payload is the statement byte for byte and it verifies as the
// signer's. One that this call wrote and that does not is a breach.
func (w *writer) diff(s shelf) (difference, error) {
	d := difference{add: map[Layout][]Statement{}, drop: map[Layout][]found{}}
	own := w.trust.own()
	var mine []found
	for _, f := range s.found {
		wrote := w.wrote[f.layer.Digest.String()]
		err := f.err
		if err == nil && (wrote || strings.HasPrefix(f.tool, Tool)) {
			_, err = own.verify(f.bundle, w.digest)
		}
		switch {
		case err != nil && wrote:
			return d, fault.New(fault.Integrity, "find out who changed it before you trust it",
				"reading back what was attested: %s does not verify: %s", f.reference(w.r.repo.Name()), bounded(err.Error()))
		case err == nil && strings.HasPrefix(f.tool, Tool):
			mine = append(mine, f)
		}
	}
	for _, l := range w.layouts {
		var used []int
		for _, st := range w.statements {
			i := slices.IndexFunc(mine, func(f found) bool {
				return f.layout == l && f.header.PredicateType == st.PredicateType && bytes.Equal(f.payload, st.Payload)
			})
			if i < 0 {
				d.add[l] = append(d.add[l], st)
				continue
			}
			sig, err := w.trust.verify(mine[i].bundle, w.digest)
			if err != nil { // the same by an earlier version of the identity
				d.add[l] = append(d.add[l], st)
				continue
			}
			used = append(used, i)
			w.keep(st, mine[i])
			d.receipts = append(d.receipts, w.receipt(st, mine[i], sig))
		}
		for i, f := range mine {
			if f.layout == l && !slices.Contains(used, i) && !w.stuck[f.manifest.Digest.String()] {
				d.drop[l] = append(d.drop[l], f)
			}
		}
	}
	return d, nil
}

// keep keeps a bundle that was found, where none was made.
func (w *writer) keep(st Statement, f found) {
	if _, made := w.out.Bundles[st.Name]; made || f.layout != LayoutBundle {
		return
	}
	data, err := f.bundle.MarshalJSON()
	var compact bytes.Buffer
	if err == nil && json.Compact(&compact, data) == nil {
		w.out.Bundles[st.Name] = compact.Bytes()
	}
}

func (w *writer) receipt(st Statement, f found, sig Signature) Receipt {
	o := Unchanged
	if w.wrote[f.layer.Digest.String()] {
		o = Attested
	}
	return Receipt{
		Statement: st.Name, PredicateType: st.PredicateType, Layout: f.layout, Outcome: o, Reference: f.reference(w.r.repo.Name()),
		Subject: w.r.repo.Name() + "@" + w.digest, PayloadSHA256: sum(f.payload), Signature: sig,
	}
}

// sign signs a statement once, for both layouts.
func (w *writer) sign(ctx context.Context, st Statement) (signed, error) {
	if s, done := w.signed[st.Name]; done {
		return s, nil
	}
	s, err := w.o.Signer.sign(ctx, st)
	if err != nil {
		return s, err
	}
	w.trust = w.o.Signer.Trust()
	if _, err := w.trust.verify(s.bundle, w.digest); err != nil {
		return s, fault.New(fault.Integrity, "find out who answers for the signing services before you trust them",
			"verifying the signature of the %s statement: %s", st.Name, bounded(err.Error()))
	}
	w.signed[st.Name], w.out.Bundles[st.Name] = s, s.data
	return s, nil
}

// write attaches what is missing, and then takes away what it stands for.
func (w *writer) write(ctx context.Context, s shelf, d difference) error {
	if slices.Contains(w.layouts, LayoutBundle) {
		if err := w.writeBundles(ctx, s, d); err != nil {
			return err
		}
	}
	if len(d.add[LayoutLegacy])+len(d.drop[LayoutLegacy]) > 0 {
		return w.writeLegacy(ctx, d)
	}
	return nil
}

func (w *writer) writeBundles(ctx context.Context, s shelf, d difference) error {
	var add []v1.Descriptor
	listed := true
	for _, st := range d.add[LayoutBundle] {
		signed, err := w.sign(ctx, st)
		if err != nil {
			return err
		}
		desc, indexed, err := w.r.attach(ctx, s.subject, signed, w.tool())
		if err != nil {
			return err
		}
		w.wrote["sha256:"+sum(signed.data)] = true
		add, listed = append(add, desc), listed && (indexed || s.list.api)
	}
	var drop []string
	for _, f := range d.drop[LayoutBundle] {
		drop = append(drop, f.manifest.Digest.String())
	}
	if !listed || len(drop) > 0 && !s.list.api {
		if err := w.r.relist(ctx, w.digest, add, drop); err != nil {
			return err
		}
	}
	for _, digest := range drop {
		err := w.r.remove(ctx, digest)
		if err != nil && ctx.Err() != nil {
			return err
		}
		if err != nil && s.list.api {
			w.note("an older attestation stays beside the new one, as the registry does not delete it: %s@%s", w.r.repo.Name(), digest)
		} else {
			w.replaced(digest)
		}
		w.stuck[digest] = true // gone, or to stay
	}
	return nil
}

func (w *writer) writeLegacy(ctx context.Context, d difference) error {
	var layers []oci.Signature
	for _, st := range d.add[LayoutLegacy] {
		signed, err := w.sign(ctx, st)
		if err != nil {
			return err
		}
		l, err := signed.layer(w.tool(), w.trust.Root)
		if errors.Is(err, errNewLog) && slices.Contains(w.layouts, LayoutBundle) {
			w.layouts = []Layout{LayoutBundle}
			w.note("cosign's older layout is left out: %s", err)
			return nil
		}
		if err != nil {
			return fault.New(fault.Attest, "write bundles alone: --attestation-format bundle", "making the layer of the %s statement: %w", st.Name, err)
		}
		w.wrote["sha256:"+sum(signed.envelope)] = true
		layers = append(layers, l)
	}
	var drop []string
	for _, f := range d.drop[LayoutLegacy] {
		drop = append(drop, f.layer.Digest.String())
	}
	if err := w.r.writeAttestations(ctx, w.digest, layers, drop); err != nil {
		return err
	}
	for _, digest := range drop {
		w.replaced(digest)
	}
	return nil
}

func (w *writer) replaced(digest string) {
	if ref := w.r.repo.Name() + "@" + digest; !slices.Contains(w.out.Replaced, ref) {
		w.out.Replaced = append(w.out.Replaced, ref)
	}
}

// tool is the annotation by which vexxy knows its own.
func (w *writer) tool() string { return strings.TrimSpace(Tool + " " + w.o.Version) }
