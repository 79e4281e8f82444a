package attest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/vexxy/action/internal/fault"
)

// Attested, attested again, and attested anew: the same is left alone, the
// older replaced, and there is never more than one of each type.
func TestPublish(t *testing.T) {
	for _, api := range []bool{true, false} {
		for _, layouts := range [][]Layout{{LayoutBundle}, {LayoutLegacy}, both} {
			t.Run(fmt.Sprintf("api=%t,%v", api, layouts), func(t *testing.T) {
				b := newBed(t, api, nil)
				s := signer(t, newKey(t))
				want := len(layouts) * 3
				for i, step := range []struct {
					note     string
					outcome  Outcome
					replaced int
				}{{"one", Attested, 0}, {"one", Unchanged, 0}, {"two", Attested, len(layouts)}} {
					out, err := quick(s, layouts...).Publish(t.Context(), b.subject, b.statements(t, step.note))
					if err != nil {
						t.Fatalf("step %d: %v", i, err)
					}
					if len(out.Receipts) != want || len(out.Notes) != 0 || len(out.Replaced) != step.replaced {
						t.Fatalf("step %d: %d receipts, replaced %v, notes %v", i, len(out.Receipts), out.Replaced, out.Notes)
					}
					for _, r := range out.Receipts {
						// The other statements are the same in both runs.
						outcome := step.outcome
						if i == 2 && r.PredicateType != TypeEvidence {
							outcome = Unchanged
						}
						if r.Outcome != outcome || r.Signature.Key != fingerprint(s.public) || !strings.HasPrefix(r.Reference, b.subject.Repository+"@sha256:") {
							t.Errorf("step %d: receipt is %+v", i, r)
						}
					}
					shelf := b.survey(t)
					if len(shelf.found) != want || shelf.list.api != api && slices.Contains(layouts, LayoutBundle) {
						t.Errorf("step %d: the registry has %d attestations, api %t", i, len(shelf.found), shelf.list.api)
					}
				}
			})
		}
	}
}

// What the bundle layout writes is what the image specification and cosign
// say: artifact type, subject, annotations; and the tag's layers are cosign's.
func TestLayouts(t *testing.T) {
	b := newBed(t, false, nil)
	if _, err := quick(signer(t, newKey(t)), both...).Publish(t.Context(), b.subject, b.statements(t, "x")); err != nil {
		t.Fatal(err)
	}
	s := b.survey(t)
	for _, d := range s.list.manifests {
		if d.ArtifactType != bundleType || d.Annotations[predicateAnnotation] == "" ||
			d.Annotations["in-toto.io/predicate-type"] != d.Annotations[predicateAnnotation] || d.Annotations[contentAnnotation] != "dsse-envelope" {
			t.Errorf("descriptor in the list is %+v", d)
		}
		r, err := openRegistry(t.Context(), b.subject.Repository, nil, fault.Infra, "pull")
		if err != nil {
			t.Fatal(err)
		}
		raw, _, err := r.manifest(t.Context(), d.Digest.String())
		if err != nil {
			t.Fatal(err)
		}
		var m struct {
			ArtifactType string        `json:"artifactType"`
			Subject      v1.Descriptor `json:"subject"`
			Config       v1.Descriptor `json:"config"`
		}
		if err := json.Unmarshal(raw, &m); err != nil || m.ArtifactType != bundleType || m.Subject.Digest.String() != b.subject.ManifestDigest || m.Config.MediaType != emptyType || m.Subject.Size == 0 {
			t.Errorf("manifest is %s, %v", raw, err)
		}
	}
	if len(s.list.manifests) != 3 || len(s.att.layers) != 3 {
		t.Fatalf("%d referrers, %d layers", len(s.list.manifests), len(s.att.layers))
	}
	for _, l := range s.att.layers {
		if l.MediaType != "application/vnd.dsse.envelope.v1+json" || l.Annotations["predicateType"] == "" {
			t.Errorf("layer is %+v", l)
		}
		if _, found := l.Annotations["dev.cosignproject.cosign/signature"]; !found {
			t.Errorf("layer has the annotations %v", l.Annotations)
		}
	}
}

// Foreign attestations stay: those of other keys, also by vexxy, those of other
// tools by the same key, and things that are no attestations.
func TestForeignStay(t *testing.T) {
	for _, api := range []bool{true, false} {
		t.Run(fmt.Sprintf("api=%t", api), func(t *testing.T) {
			b := newBed(t, api, nil)
			ours, theirs := signer(t, newKey(t)), signer(t, newKey(t))
			if _, err := quick(theirs, both...).Publish(t.Context(), b.subject, b.statements(t, "theirs")); err != nil {
				t.Fatal(err)
			}
			// Another tool, with our key: its annotation is missing.
			other := writer{Publisher: quick(ours, both...), digest: b.subject.ManifestDigest}
			r, err := openRegistry(t.Context(), b.subject.Repository, nil, fault.Attest, "pull", "push")
			if err != nil {
				t.Fatal(err)
			}
			signed, err := other.o.Signer.sign(t.Context(), b.statements(t, "other tool")[0])
			if err != nil {
				t.Fatal(err)
			}
			shelf := b.survey(t)
			d, _, err := r.attach(t.Context(), shelf.subject, signed, "")
			if err != nil {
				t.Fatal(err)
			}
			if !api {
				if err := r.relist(t.Context(), b.subject.ManifestDigest, []v1.Descriptor{d}, nil); err != nil {
					t.Fatal(err)
				}
			}
			for _, note := range []string{"first", "second"} {
				if _, err := quick(ours, both...).Publish(t.Context(), b.subject, b.statements(t, note)); err != nil {
					t.Fatal(err)
				}
			}
			var before, after []string
			for _, f := range shelf.found {
				before = append(before, string(f.layout)+f.layer.Digest.String())
			}
			before = append(before, "bundle"+"sha256:"+sum(signed.data))
			for _, f := range b.survey(t).found {
				after = append(after, string(f.layout)+f.layer.Digest.String())
			}
			for _, digest := range before {
				if !slices.Contains(after, digest) {
					t.Errorf("%s is gone", digest)
				}
			}
			if len(after) != len(before)+6 {
				t.Errorf("%d attestations, %d of them foreign", len(after), len(before))
			}
		})
	}
}

// Writers that do not know of each other leave everyone's attestations.
func TestWritersAtOnce(t *testing.T) {
	for _, api := range []bool{true, false} {
		t.Run(fmt.Sprintf("api=%t", api), func(t *testing.T) {
			b := newBed(t, api, nil)
			const writers = 5
			var wg sync.WaitGroup
			errs := make([]error, writers)
			for i := range writers {
				p := quick(signer(t, newKey(t)), both...)
				p.o.settle, p.o.alone = 150*time.Millisecond, true
				statements := b.statements(t, fmt.Sprint(i))
				wg.Go(func() { _, errs[i] = p.Publish(t.Context(), b.subject, statements) })
			}
			wg.Wait()
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			if n := len(b.survey(t).found); n != writers*6 {
				t.Errorf("%d attestations, not %d", n, writers*6)
			}
		})
	}
}

// A run that was killed between two pushes is finished by the next.
func TestKilledBetweenPushes(t *testing.T) {
	b := newBed(t, false, nil)
	s := signer(t, newKey(t))
	all := b.statements(t, "x")
	if _, err := quick(s, LayoutBundle).Publish(t.Context(), b.subject, all[:1]); err != nil {
		t.Fatal(err)
	}
	out, err := quick(s, both...).Publish(t.Context(), b.subject, all)
	if err != nil || len(out.Receipts) != 6 || out.Receipts[0].Outcome != Unchanged || out.Receipts[1].Outcome != Attested {
		t.Errorf("receipts are %+v, %v", out.Receipts, err)
	}
}

// A registry like GitLab's takes the fallback tag for the image.
func TestNoReferrersAtAll(t *testing.T) {
	var b *bed
	b = newBed(t, false, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if strings.HasSuffix(req.URL.Path, "/manifests/"+fallbackTag(b.subject.ManifestDigest)) {
				if req.Method != http.MethodGet && req.Method != http.MethodHead {
					t.Errorf("%s to the fallback tag", req.Method)
				}
				req.URL.Path = strings.Replace(req.URL.Path, "sha256-", "sha256:", 1)
			}
			h.ServeHTTP(w, req)
		})
	})
	s := signer(t, newKey(t))
	_, err := quick(s, LayoutBundle).Publish(t.Context(), b.subject, b.statements(t, "x"))
	if fault.CodeOf(t.Context(), err) != fault.Attest || !strings.Contains(fault.HintOf(err), "legacy") {
		t.Errorf("error is %v, %q", err, fault.HintOf(err))
	}
	out, err := quick(s, both...).Publish(t.Context(), b.subject, b.statements(t, "x"))
	if err != nil || len(out.Receipts) != 3 || len(out.Notes) != 1 || out.Receipts[0].Layout != LayoutLegacy {
		t.Errorf("%+v, %v", out, err)
	}
}

// What is not there when it is read back, or is something else, is never
// attested.
func TestReadBack(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(http.Handler, http.ResponseWriter, *http.Request) bool
		code  fault.Code
	}{
		"writes into nothing": {func(h http.Handler, w http.ResponseWriter, req *http.Request) bool {
			if req.Method == http.MethodPut && strings.Contains(req.URL.Path, "/manifests/") {
				w.WriteHeader(http.StatusCreated)
				return true
			}
			return false
		}, fault.Attest},
		"other bytes": {func(h http.Handler, w http.ResponseWriter, req *http.Request) bool {
			if req.Method != http.MethodGet || !strings.Contains(req.URL.Path, "/blobs/sha256:") {
				return false
			}
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, req)
			body := bytes.Replace(rec.Body.Bytes(), []byte(`"payloadType"`), []byte(`"payloadTyqe"`), 1)
			w.WriteHeader(rec.Code)
			w.Write(body)
			return true
		}, fault.Integrity},
	} {
		for _, layout := range both {
			t.Run(name+" "+string(layout), func(t *testing.T) {
				b := newBed(t, false, func(h http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
						if !c.spoil(h, w, req) {
							h.ServeHTTP(w, req)
						}
					})
				})
				p := quick(signer(t, newKey(t)), layout)
				p.o.settle = time.Millisecond
				out, err := p.Publish(t.Context(), b.subject, b.statements(t, "x"))
				if fault.CodeOf(t.Context(), err) != c.code || len(out.Receipts) != 0 {
					t.Errorf("code %d: %v, receipts %v", fault.CodeOf(t.Context(), err), err, out.Receipts)
				}
			})
		}
	}
}
