package attest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/vexxy/action/internal/fault"
)

// A registry that refuses or fails is told apart, with a hint each; reading and
// writing have codes of their own.
func TestRegistriesThatFail(t *testing.T) {
	for status, hint := range map[int]string{400: "immutable", 401: "log in", 403: "log in", 409: "immutable", 429: "wait", 500: "unwell", 503: "unwell"} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			writing := false
			b := newBed(t, true, func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
					if req.URL.Path != "/v2/" && (!writing || req.Method != http.MethodGet && req.Method != http.MethodHead) {
						w.Header().Set("Retry-After", "0")
						w.WriteHeader(status)
						fmt.Fprint(w, "{\"errors\":[{\"code\":\"BAD\",\"message\":\"\x1b[31mcanary\\n::error::x\"}]}")
						return
					}
					h.ServeHTTP(w, req)
				})
			})
			s := signer(t, newKey(t))
			_, err := Verify(t.Context(), b.subject.Repository, b.subject.ManifestDigest, nil, Policy{Trust: s.Trust()})
			if fault.CodeOf(t.Context(), err) != fault.Infra || hint != "immutable" && !strings.Contains(fault.HintOf(err), hint) || !strings.Contains(err.Error(), fmt.Sprint(status)) {
				t.Errorf("reading: code %d, %v, hint %q", fault.CodeOf(t.Context(), err), err, fault.HintOf(err))
			}
			writing = true
			out, err := quick(s, both...).Publish(t.Context(), b.subject, b.statements(t, "x"))
			if fault.CodeOf(t.Context(), err) != fault.Attest || !strings.Contains(fault.HintOf(err), hint) || len(out.Receipts) != 0 {
				t.Errorf("writing: code %d, %v, hint %q", fault.CodeOf(t.Context(), err), err, fault.HintOf(err))
			}
			if err != nil {
				noCanary(t, err.Error(), fault.HintOf(err))
				if strings.ContainsAny(err.Error(), "\x1b\n") {
					t.Errorf("the message is %q", err)
				}
			}
		})
	}
}

// Attestations without end, without sense and without number, from a registry
// that means harm: memory and time stay bounded, and what is good among them is
// still found.
func TestHostileRegistries(t *testing.T) {
	const megabyte = 1 << 20
	b := newBed(t, false, nil)
	s := signer(t, newKey(t))
	if _, err := quick(s, both...).Publish(t.Context(), b.subject, b.statements(t, "x")); err != nil {
		t.Fatal(err)
	}
	index := func(d ...v1.Descriptor) []byte {
		raw, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: d})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	good := b.survey(t).list.manifests
	junk := make([]v1.Descriptor, maxAttestations+1)
	for i := range junk {
		junk[i] = v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: v1.Hash{Algorithm: "sha256", Hex: fmt.Sprintf("%064x", i)}, Size: 10}
	}
	list := func(raw []byte) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, req *http.Request) bool {
			if !strings.Contains(req.URL.Path, "/referrers/") {
				return false
			}
			w.Header().Set("Content-Type", string(types.OCIImageIndex))
			w.Write(raw)
			return true
		}
	}
	var server *httptest.Server
	for name, c := range map[string]struct {
		spoil    func(http.ResponseWriter, *http.Request) bool
		verified bool
		code     fault.Code
	}{
		"list without end": {func(w http.ResponseWriter, req *http.Request) bool {
			w.Header().Set("Content-Type", string(types.OCIImageIndex))
			return endless("/referrers/")(w, req)
		}, false, fault.Infra},
		"page without end":     {endless("/referrers/"), true, fault.Pass}, // no list: the tag counts
		"tag without end":      {endless(".att"), false, fault.Infra},
		"blobs without end":    {endless("/blobs/"), false, fault.Infra},
		"too many":             {list(index(junk...)), false, fault.Infra},
		"many that are absent": {list(index(append(junk[:100:100], good...)...)), true, fault.Pass},
		"as many as are read":  {list(index(append(junk[:maxAttestations-len(good):maxAttestations-len(good)], good...)...)), true, fault.Pass},
		"list of nonsense":     {list([]byte(`{"manifests":[{"digest":"sha256:zz"}]}`)), false, fault.Infra},
		"pages without end": {func(w http.ResponseWriter, req *http.Request) bool {
			if !strings.Contains(req.URL.Path, "/referrers/") {
				return false
			}
			w.Header().Set("Content-Type", string(types.OCIImageIndex))
			w.Header().Set("Link", `<http://169.254.169.254/latest?n=1>; rel="next"`)
			w.Write(index())
			return true
		}, false, fault.Infra},
		"deeply nested": {list([]byte(strings.Repeat("[", megabyte))), false, fault.Infra},
		"tag of nonsense": {func(w http.ResponseWriter, req *http.Request) bool {
			if strings.HasSuffix(req.URL.Path, ".att") {
				io.WriteString(w, "<html>")
				return true
			}
			return false
		}, false, fault.Infra},
	} {
		t.Run(name, func(t *testing.T) {
			server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if !c.spoil(w, req) {
					b.handler.ServeHTTP(w, req)
				}
			}))
			defer server.Close()
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			begin := time.Now()
			v, err := Verify(t.Context(), strings.TrimPrefix(server.URL, "http://")+"/team/app", b.subject.ManifestDigest, nil,
				Policy{Trust: s.Trust(), Now: evidenceOf(t, b).Window.End})
			took := time.Since(begin)
			runtime.ReadMemStats(&after)
			if fault.CodeOf(t.Context(), err) != c.code || v.Verified != c.verified {
				t.Errorf("code %d: %v; verified %t, %v", fault.CodeOf(t.Context(), err), err, v.Verified, v.Reasons)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 300*megabyte || took > 90*time.Second {
				t.Errorf("%d MiB were taken in all, in %s", grown/megabyte, took)
			}
		})
	}
}

// Malformed attestations beside a good one are told and change nothing.
func TestMalformedAttestations(t *testing.T) {
	b := newBed(t, false, nil)
	s := signer(t, newKey(t))
	if _, err := quick(s, both...).Publish(t.Context(), b.subject, b.statements(t, "x")); err != nil {
		t.Fatal(err)
	}
	r, err := openRegistry(t.Context(), b.subject.Repository, nil, fault.Attest, "pull", "push")
	if err != nil {
		t.Fatal(err)
	}
	st := b.statements(t, "x")[0]
	good, err := s.sign(t.Context(), st)
	if err != nil {
		t.Fatal(err)
	}
	subject := b.survey(t).subject
	var extra []v1.Descriptor
	bad := [][]byte{
		nil, []byte("{}"), []byte("null"), []byte("[]"), []byte("\x00\xff"), []byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}`),
		bytes.Replace(good.data, []byte(`"payloadType":"`), []byte(`"payloadType":"x`), 1),
		bytes.Replace(good.data, []byte(`"sig":"`), []byte(`"sig":"AAAA`), 1),
		bytes.Replace(good.data, []byte(`"payload":"ey`), []byte(`"payload":"eyJ4Ijox`), 1),
		bytes.Replace(good.data, []byte(`v0.3+json`), []byte(`v0.9+json`), 1),
		[]byte(strings.Repeat(`{"a":`, 20000)),
	}
	for i, data := range bad {
		broken := good
		if broken.data = data; data == nil {
			broken.data = []byte{}
		}
		d, _, err := r.attach(t.Context(), subject, broken, "vexxy "+fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		extra = append(extra, d)
	}
	if err := r.relist(t.Context(), b.subject.ManifestDigest, extra, nil); err != nil {
		t.Fatal(err)
	}
	v := verified(t, b, s, nil)
	if !v.Verified || len(v.Others) != len(bad) || len(v.Attestations) != 3 {
		t.Errorf("%v, %d others of %d, %d attestations", v.Reasons, len(v.Others), len(bad), len(v.Attestations))
	}
	for _, o := range v.Others {
		if o.Why == "" || strings.ContainsAny(o.Why, "\x00\n") {
			t.Errorf("other is %+v", o)
		}
	}
	// They claim to be vexxy's, and are not: a new run leaves them alone.
	if _, err := quick(s, both...).Publish(t.Context(), b.subject, b.statements(t, "y")); err != nil {
		t.Fatal(err)
	}
	if v := verified(t, b, s, nil); !v.Verified || len(v.Others) != len(bad) {
		t.Errorf("%v, %d others", v.Reasons, len(v.Others))
	}
}
