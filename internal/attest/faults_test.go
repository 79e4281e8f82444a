package attest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"

	"github.com/vexxy/action/internal/fault"
)

// A signature whose log entry is another's, altered or missing does not count,
// though the log's own word stands behind what is left of it.
func TestWrongLogEntries(t *testing.T) {
	i, b, stranger := newInstance(t, false), newBed(t, true, nil), newInstance(t, false)
	all := b.statements(t, "x")
	signed := func(i instance, st Statement) []byte {
		s, err := i.signer(t).sign(t.Context(), st)
		if err != nil {
			t.Fatal(err)
		}
		return s.data
	}
	good := signed(i, all[0])
	type object = map[string]any
	open := func(data []byte) (whole, material, entry object) {
		if err := json.Unmarshal(data, &whole); err != nil {
			t.Fatal(err)
		}
		material = whole["verificationMaterial"].(object)
		return whole, material, material["tlogEntries"].([]any)[0].(object)
	}
	_, _, others := open(signed(i, all[1]))
	_, _, same := open(signed(i, all[0])) // the same statement by another certificate
	_, _, foreign := open(signed(stranger, all[0]))
	for name, change := range map[string]func(material, entry object){
		"":                          func(object, object) {},
		"none":                      func(m, _ object) { delete(m, "tlogEntries") },
		"an empty list":             func(m, _ object) { m["tlogEntries"] = []any{} },
		"of another statement":      func(m, _ object) { m["tlogEntries"] = []any{others} },
		"of another signature":      func(m, _ object) { m["tlogEntries"] = []any{same} },
		"of another log":            func(m, _ object) { m["tlogEntries"] = []any{foreign} },
		"another time":              func(_, e object) { e["integratedTime"] = fmt.Sprint(time.Now().Add(-30 * time.Second).Unix()) },
		"another index":             func(_, e object) { e["logIndex"] = "7" },
		"another body":              func(_, e object) { e["canonicalizedBody"] = others["canonicalizedBody"] },
		"another promise":           func(_, e object) { e["inclusionPromise"] = others["inclusionPromise"] },
		"another log's promise":     func(_, e object) { e["inclusionPromise"] = foreign["inclusionPromise"] },
		"another proof":             func(_, e object) { e["inclusionProof"] = others["inclusionProof"] },
		"another log's name":        func(_, e object) { e["logId"] = foreign["logId"] },
		"neither promise nor proof": func(_, e object) { delete(e, "inclusionPromise"); delete(e, "inclusionProof") },
	} {
		whole, material, entry := open(good)
		change(material, entry)
		data, err := json.Marshal(whole)
		if err != nil {
			t.Fatal(err)
		}
		parsed := &bundle.Bundle{}
		if err = parsed.UnmarshalJSON(data); err == nil {
			_, err = i.trust(t).verify(parsed, b.subject.ManifestDigest)
		}
		if (err == nil) != (name == "") {
			t.Errorf("an entry that is wrong by %q: %v", name, err)
		}
	}
	// The older layout keeps the entry beside the envelope, for anyone to change.
	s, err := i.signer(t).sign(t.Context(), all[0])
	if err != nil {
		t.Fatal(err)
	}
	tr := i.trust(t)
	layer, err := s.layer("vexxy", tr.Root)
	if err != nil {
		t.Fatal(err)
	}
	annotations, err := layer.Annotations()
	if err != nil {
		t.Fatal(err)
	}
	verify := func(change func(payload object)) error {
		const key = "dev.sigstore.cosign/bundle"
		copied := map[string]string{}
		for k, v := range annotations {
			copied[k] = v
		}
		var kept object
		if err := json.Unmarshal([]byte(copied[key]), &kept); err != nil {
			t.Fatal(err)
		}
		change(kept["Payload"].(object))
		text, err := json.Marshal(kept)
		if err != nil {
			t.Fatal(err)
		}
		copied[key] = string(text)
		parsed, err := fromLegacy(s.envelope, copied)
		if err == nil {
			_, err = tr.verify(parsed, b.subject.ManifestDigest)
		}
		return err
	}
	for name, change := range map[string]func(object){
		"": func(object) {}, "time": func(p object) { p["integratedTime"] = time.Now().Unix() - 30 },
		"index": func(p object) { p["logIndex"] = 7 }, "body": func(p object) { p["body"] = others["canonicalizedBody"] },
		"log": func(p object) { p["logID"] = strings.Repeat("0", 64) },
	} {
		if err := verify(change); (err == nil) != (name == "") {
			t.Errorf("an entry of the older layout that is wrong by %q: %v", name, err)
		}
	}
}

// A token and a certificate that are about to expire are asked for anew.
func TestTokenAndCertificateAboutToExpire(t *testing.T) {
	i, b := newInstance(t, false), newBed(t, true, nil)
	i.Expiry, i.Life = time.Now().Add(30*time.Second), 30*time.Second
	out, err := quick(i.signer(t), both...).Publish(t.Context(), b.subject, b.statements(t, "x"))
	if err != nil || len(out.Receipts) != 6 || i.Tokens.Load() != 4 || i.Certificates.Load() != 4 {
		t.Errorf("%d receipts, %v, %d tokens, %d certificates", len(out.Receipts), err, i.Tokens.Load(), i.Certificates.Load())
	}
}

// writing reports requests that change a registry.
func writing(req *http.Request) bool {
	return req.Method != http.MethodGet && req.Method != http.MethodHead
}

// A run that is killed at any of its writes leaves the image with what one run
// attested or with nothing that verifies, and the next run finishes it.
func TestKilledAtAnyWrite(t *testing.T) {
	for _, api := range []bool{true, false} {
		t.Run(fmt.Sprintf("api=%t", api), func(t *testing.T) {
			t.Parallel()
			s := signer(t, newKey(t))
			for kill := int32(1); ; kill++ {
				var writes atomic.Int32
				var armed, dead atomic.Bool
				b := newBed(t, api, func(h http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
						if armed.Load() && writing(req) && writes.Add(1) == kill {
							dead.Store(true)
						}
						if dead.Load() {
							panic(http.ErrAbortHandler) // the run is gone, and so is its request
						}
						h.ServeHTTP(w, req)
					})
				})
				if _, err := quick(s, both...).Publish(t.Context(), b.subject, b.statements(t, "one")); err != nil {
					t.Fatal(err)
				}
				armed.Store(true)
				ctx, cancel := context.WithCancel(t.Context())
				go func() {
					for !dead.Load() && ctx.Err() == nil {
						time.Sleep(time.Millisecond)
					}
					cancel()
				}()
				_, err := quick(s, both...).Publish(ctx, b.subject, b.statements(t, "two"))
				cancel()
				armed.Store(false)
				killed := dead.Swap(false)
				if killed != (err != nil) {
					t.Fatalf("killed at write %d: %t, %v", kill, killed, err)
				}
				if v := verified(t, b, s, nil); v.Verified && v.Evidence.Run.ID != "one" && v.Evidence.Run.ID != "two" {
					t.Errorf("killed at write %d: evidence of %q", kill, v.Evidence.Run.ID)
				}
				out, err := quick(s, both...).Publish(t.Context(), b.subject, b.statements(t, "two"))
				if err != nil || len(out.Receipts) != 6 || len(b.survey(t).found) != 6 {
					t.Errorf("after a run that was killed at write %d: %d receipts, %d attestations, %v", kill, len(out.Receipts), len(b.survey(t).found), err)
				}
				if v := verified(t, b, s, nil); !v.Verified || v.Evidence.Run.ID != "two" {
					t.Errorf("after a run that was killed at write %d: %v", kill, v.Reasons)
				}
				b.server.Close()
				if !killed {
					if kill < 5 {
						t.Errorf("a run has %d writes only", kill)
					}
					return
				}
			}
		})
	}
}

// Two runs by the same key at once each want the other's place: each ends, with
// its own attested or with what to do about it, and the next run finds one of
// each.
func TestSameSignerAtOnce(t *testing.T) {
	b := newBed(t, false, nil)
	s := signer(t, newKey(t))
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for n := range errs {
		p := quick(s, both...)
		p.o.settle, p.o.alone = 50*time.Millisecond, true
		statements := b.statements(t, fmt.Sprint(n))
		wg.Go(func() { _, errs[n] = p.Publish(t.Context(), b.subject, statements) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil && (fault.CodeOf(t.Context(), err) != fault.Attest || !strings.Contains(fault.HintOf(err), "concurrency group")) {
			t.Errorf("%v (%s)", err, fault.HintOf(err))
		}
	}
	if out, err := quick(s, both...).Publish(t.Context(), b.subject, b.statements(t, "2")); err != nil || len(out.Receipts) != 6 || len(b.survey(t).found) != 6 {
		t.Errorf("%d receipts, %d attestations, %v (before: %v)", len(out.Receipts), len(b.survey(t).found), err, errors.Join(errs...))
	}
	if v := verified(t, b, s, nil); !v.Verified || v.Evidence.Run.ID != "2" {
		t.Errorf("%v", v.Reasons)
	}
}

// A registry that is busy for a moment is asked again; one that never answers
// keeps nothing: the run's own end comes first, in reading and in writing.
func TestSlowRegistries(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]bool{}
	b := newBed(t, true, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			mu.Lock()
			what := req.Method + req.URL.Path
			first := !asked[what] && strings.Contains(req.URL.Path, "/manifests/")
			asked[what] = true
			mu.Unlock()
			if first {
				w.WriteHeader([]int{http.StatusTooManyRequests, http.StatusServiceUnavailable}[len(what)%2])
				return
			}
			h.ServeHTTP(w, req)
		})
	})
	s := signer(t, newKey(t))
	if out, err := quick(s, LayoutBundle).Publish(t.Context(), b.subject, b.statements(t, "x")[:1]); err != nil || len(out.Receipts) != 1 {
		t.Errorf("busy for a moment: %+v, %v", out.Receipts, err)
	}
	for name, slow := range map[string]func(*http.Request) bool{
		"referrers": func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/referrers/") },
		"manifests": func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/manifests/") },
		"writes":    writing,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			end := make(chan struct{})
			b := newBed(t, true, func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
					if slow(req) {
						<-end
						return
					}
					h.ServeHTTP(w, req)
				})
			})
			t.Cleanup(func() { close(end) })
			begin := time.Now()
			for what, do := range map[string]func(context.Context) error{
				"writing": func(ctx context.Context) error {
					_, err := quick(s, both...).Publish(ctx, b.subject, b.statements(t, "x"))
					return err
				},
				"reading": func(ctx context.Context) error {
					_, err := Verify(ctx, b.subject.Repository, b.subject.ManifestDigest, nil, Policy{Trust: s.Trust()})
					return err
				},
			} {
				ctx, cancel := context.WithTimeoutCause(t.Context(), 2*time.Second, fault.ErrDeadline)
				err := do(ctx)
				if want := what == "writing" || name != "writes"; (err != nil) != want || want && fault.CodeOf(ctx, err) != fault.Deadline {
					t.Errorf("%s: %v", what, err)
				}
				cancel()
			}
			if took := time.Since(begin); took > 30*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}
