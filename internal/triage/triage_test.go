package triage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/subject"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	index    = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	manifest = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	other    = "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
	curl     = "pkg:deb/debian/curl@7.88?arch=amd64&distro=debian-12"
)

func image() subject.Subject {
	return subject.Subject{
		Source: subject.SourceRegistry, Repository: "ghcr.io/team/app", Tag: "v1", IndexDigest: index, ManifestDigest: manifest,
		Platform: subject.Platform{OS: "linux", Architecture: "amd64"},
	}
}

// doc is a document of one statement on CVE-1.
func doc(products, rest string) string {
	return `{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://team.example/vex/1","author":"Ann","timestamp":"2026-02-01T00:00:00Z","version":1,"statements":[{"vulnerability":{"name":"CVE-1","aliases":["GHSA-1"]},"products":` + products + rest + `}]}`
}

const cleared = `,"status":"not_affected","justification":"component_not_present"`

func parsed(t *testing.T, texts ...string) *Set {
	t.Helper()
	s := &Set{MaxAge: DefaultMaxAge}
	for i, text := range texts {
		d, err := parse(fmt.Sprintf("%d.json", i), []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		s.Documents = append(s.Documents, d)
	}
	return s
}

// find gives the own claim on a package of one instance.
func find(m *Matcher, ids, purls []string) *Claim {
	own, _ := m.Find(ids, [][]string{purls})
	return own
}

// Products are matched as go-vex matches them: by package URLs of image and
// package, by digests, with what a statement leaves out.
func TestProducts(t *testing.T) {
	hub := image()
	hub.Repository = "index.docker.io/library/nginx"
	for name, c := range map[string]struct {
		sub      subject.Subject
		products string
		matches  bool
		exact    bool
	}{
		"image by its index":        {image(), `[{"@id":"pkg:oci/app@` + index + `"}]`, true, true},
		"image by its manifest":     {image(), `[{"@id":"pkg:oci/app@` + manifest + `?repository_url=ghcr.io/team/app&arch=amd64"}]`, true, true},
		"image of another digest":   {image(), `[{"@id":"pkg:oci/app@` + other + `"}]`, false, false},
		"image of any digest":       {image(), `[{"@id":"pkg:oci/app"}]`, true, false},
		"of another repository":     {image(), `[{"@id":"pkg:oci/app?repository_url=ghcr.io/other/app"}]`, false, false},
		"another name":              {image(), `[{"@id":"pkg:oci/apq"}]`, false, false},
		"by its tag":                {image(), `[{"@id":"pkg:docker/ghcr.io/team/app@v1"}]`, true, false},
		"another tag":               {image(), `[{"@id":"pkg:oci/app?tag=v2"}]`, false, false},
		"by a bare digest":          {image(), `[{"@id":"` + manifest + `"}]`, true, true},
		"by a hash":                 {image(), `[{"@id":"x","hashes":{"sha-256":"` + strings.Repeat("b", 64) + `"}}]`, true, true},
		"by an identifier":          {image(), `[{"identifiers":{"purl":"pkg:oci/app@` + index + `"}}]`, true, true},
		"Docker Hub's short name":   {hub, `[{"@id":"pkg:docker/nginx@` + index + `"}]`, true, true},
		"with the package":          {image(), `[{"@id":"pkg:oci/app","subcomponents":[{"@id":"pkg:deb/debian/curl"}]}]`, true, false},
		"with the package, exact":   {image(), `[{"@id":"pkg:oci/app","subcomponents":[{"@id":"pkg:deb/debian/curl@7.88"}]}]`, true, true},
		"another version":           {image(), `[{"@id":"pkg:oci/app","subcomponents":[{"@id":"pkg:deb/debian/curl@7.99"}]}]`, false, false},
		"another package":           {image(), `[{"@id":"pkg:oci/app","subcomponents":[{"@id":"pkg:deb/debian/wget"}]}]`, false, false},
		"another qualifier":         {image(), `[{"@id":"pkg:oci/app","subcomponents":[{"@id":"pkg:deb/debian/curl@7.88?arch=arm64"}]}]`, false, false},
		"the package of any image":  {image(), `[{"@id":"pkg:deb/debian/curl@7.88"}]`, true, true},
		"another image's package":   {image(), `[{"@id":"pkg:oci/other","subcomponents":[{"@id":"pkg:deb/debian/curl@7.88"}]}]`, false, false},
		"a package's subcomponents": {image(), `[{"@id":"pkg:deb/debian/curl@7.88","subcomponents":[{"@id":"pkg:deb/debian/x"}]}]`, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := parsed(t, doc(c.products, cleared)).Matcher(c.sub, now)
			claim := find(m, []string{"CVE-1"}, []string{curl})
			if (claim != nil) != c.matches || claim != nil && claim.Exact != c.exact {
				t.Errorf("%+v", claim)
			}
			if find(m, []string{"CVE-2"}, []string{curl}) != nil {
				t.Error("it matches another vulnerability")
			}
			if again := find(m, []string{"X", "GHSA-1"}, []string{curl}); (again != nil) != c.matches {
				t.Error("by an alias it is another")
			}
		})
	}
}

// The newest holds, of equally old ones the worst; what is expired, undated or
// of the future clears nothing, and what raises has no such bounds.
func TestWhichHolds(t *testing.T) {
	at := func(day, status string) string {
		return doc(`[{"@id":"pkg:oci/app"}]`, `,"timestamp":"`+day+`","status":"`+status+`","justification":"component_not_present"`)
	}
	undated := strings.Replace(doc(`[{"@id":"pkg:oci/app"}]`, cleared), `"timestamp":"2026-02-01T00:00:00Z",`, "", 1)
	for name, c := range map[string]struct {
		texts  []string
		status Status
		void   string
	}{
		"newest":                   {[]string{at("2026-02-01T00:00:00Z", "affected"), at("2026-02-02T00:00:00Z", "not_affected"), at("2026-01-02T00:00:00Z", "fixed")}, NotAffected, ""},
		"newest is worse":          {[]string{at("2026-02-03T00:00:00Z", "affected"), at("2026-02-02T00:00:00Z", "not_affected")}, Affected, ""},
		"equal times":              {[]string{at("2026-02-01T00:00:00Z", "not_affected"), at("2026-02-01T00:00:00Z", "affected")}, Affected, ""},
		"expired":                  {[]string{at("2025-08-01T00:00:00Z", "not_affected")}, NotAffected, "expired"},
		"just not expired":         {[]string{at("2025-09-03T00:00:00Z", "not_affected")}, NotAffected, ""},
		"updated since":            {[]string{at(`2025-08-01T00:00:00Z","last_updated":"2026-02-01T00:00:00Z`, "not_affected")}, NotAffected, ""},
		"undated":                  {[]string{undated}, NotAffected, "no time"},
		"future":                   {[]string{at("2026-03-02T00:00:00Z", "fixed")}, Fixed, "future"},
		"an old affected holds":    {[]string{at("2020-08-01T00:00:00Z", "affected")}, Affected, ""},
		"and over an expired one":  {[]string{at("2020-08-01T00:00:00Z", "affected"), at("2021-08-01T00:00:00Z", "not_affected")}, Affected, ""},
		"a future one hides none":  {[]string{at("2030-08-01T00:00:00Z", "not_affected"), at("2026-02-01T00:00:00Z", "affected")}, Affected, ""},
		"no date is the oldest":    {[]string{undated, at("2025-12-01T00:00:00Z", "under_investigation")}, UnderInvestigation, ""},
		"a time that is no time":   {[]string{at("yesterday", "not_affected")}, NotAffected, ""}, // the document's
		"a newer not_affected one": {[]string{at("2026-02-01T00:00:00Z", "under_investigation"), at("2026-02-02T00:00:00Z", "not_affected")}, NotAffected, ""},
	} {
		t.Run(name, func(t *testing.T) {
			claim := find(parsed(t, c.texts...).Matcher(image(), now), []string{"CVE-1"}, []string{curl})
			if claim == nil || claim.Status != c.status || (claim.Void != "") != (c.void != "") || !strings.Contains(claim.Void, c.void) {
				t.Errorf("%+v", claim)
			}
		})
	}
	s := parsed(t, at("2001-01-01T00:00:00Z", "not_affected"))
	if s.MaxAge = 0; find(s.Matcher(image(), now), []string{"CVE-1"}, nil).Void != "" {
		t.Error("it is expired, though nothing expires")
	}
}

// What is no person's word, or says nothing that OpenVEX lets it say, does not
// count, and is told.
func TestWhatIsNoStatement(t *testing.T) {
	product := `[{"@id":"pkg:oci/app"}]`
	for name, text := range map[string]string{
		"no JSON": "{", "a list": "[]", "no context": `{"author":"a","statements":[]}`, "CSAF": `{"document":{"category":"csaf_vex"}}`,
		"no author":       strings.Replace(doc(product, cleared), "Ann", " ", 1),
		"statements text": `{"@context":"https://openvex.dev/ns/v0.2.0","author":"a","statements":"x"}`,
	} {
		if _, err := parse("x", []byte(text)); err == nil {
			t.Errorf("%s is read", name)
		}
	}
	for name, text := range map[string]string{
		"no product": doc("[]", cleared), "null": doc("null", cleared), "a product without a name": doc(`[{}]`, cleared),
		"no status": doc(product, ""), "another status": doc(product, `,"status":"maybe"`),
		"no justification":      doc(product, `,"status":"not_affected"`),
		"another justification": doc(product, `,"status":"not_affected","justification":"because"`),
		"no vulnerability":      strings.Replace(doc(product, cleared), `"name":"CVE-1","aliases":["GHSA-1"]`, "", 1),
	} {
		d, err := parse("x", []byte(text))
		if err != nil || d.Unread != 1 || len(d.Statements) != 0 {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
	for _, by := range []string{`"author":"vexxy"`, `"author":"Ann","tooling":"vexxy v1.2.3"`} {
		d, err := parse("x", []byte(strings.Replace(doc(product, cleared), `"author":"Ann"`, by, 1)))
		if err != nil || d.Problem == "" || len(d.Statements) != 0 {
			t.Errorf("%s: %+v, %v", by, d, err)
		}
		s := Set{Documents: []Document{d}}
		if find(s.Matcher(image(), now), []string{"CVE-1"}, nil) != nil {
			t.Errorf("%s is a person's word", by)
		}
	}
}

// A repository's folders are read, and files that are given beside them; what
// the guard holds is the guard's.
func TestRead(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	good := doc(`[{"@id":"pkg:oci/app"}]`, cleared)
	if s, err := Read(Options{Discover: true}); s != nil || err != nil {
		t.Errorf("nothing is there, and read %+v, %v", s, err)
	}
	write(".openvex/app.openvex.json", good)
	write(".openvex/README.md", "x")
	write(".openvex/broken.json", "{")
	write(".openvex/templates/main.openvex.json", good)
	write("more/a.json", good)
	write("more/sub/b.json", good)
	s, err := Read(Options{Given: []string{"more", "more/a.json", "./more/a.json"}, Discover: true})
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, d := range s.Documents {
		got += fmt.Sprintf("%s:%d:%t ", d.Source, len(d.Statements), d.Problem == "")
	}
	if want := "more/a.json:1:true .openvex/app.openvex.json:1:true .openvex/broken.json:0:false .openvex/templates/main.openvex.json:1:true "; got != want {
		t.Errorf("read\n%s\nnot\n%s", got, want)
	}
	for _, given := range []string{"none.json", ".openvex/broken.json", "/dev/zero"} {
		if _, err := Read(Options{Given: []string{given}}); fault.CodeOf(t.Context(), err) != fault.Usage || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", given, err)
		}
	}
	// The guard's bytes count, and what it refuses does not, given or found.
	guard := func(path string, max int64) ([]byte, bool, error) {
		switch filepath.Base(path) {
		case "a.json":
			return []byte(strings.Replace(good, "Ann", "Base", 1)), true, nil
		case "app.openvex.json":
			return nil, false, fault.New(fault.Usage, "merge it", "it comes with this pull request")
		}
		return nil, false, nil
	}
	list := func(dir string) ([]string, bool, error) {
		if dir == Folder {
			return []string{"app.openvex.json", "app.openvex.json", "../x.json"}, true, nil
		}
		return nil, true, nil
	}
	s, err = Read(Options{Given: []string{"more/a.json"}, Discover: true, Guard: guard, List: list})
	if err != nil || len(s.Documents) != 4 || s.Documents[0].Author != "Base" || !strings.Contains(s.Documents[1].Problem, "pull request (merge it)") {
		t.Errorf("%+v, %v", s, err)
	}
}

// What cannot be known and what is too much end the run, though nobody named it:
// a statement that raises may be in it.
func TestDiscoveredTooMuch(t *testing.T) {
	good := doc(`[{"@id":"pkg:oci/app"}]`, cleared)
	based := func(names ...string) func(string) ([]string, bool, error) {
		return func(dir string) ([]string, bool, error) {
			if dir == Folder {
				return names, true, nil
			}
			return nil, true, nil
		}
	}
	var many []string
	for i := range maxFiles + 1 {
		many = append(many, fmt.Sprintf("%d.json", i))
	}
	say := func(text string) func(string, int64) ([]byte, bool, error) {
		return func(string, int64) ([]byte, bool, error) { return []byte(text), true, nil }
	}
	out := fault.New(fault.Infra, "fetch it", "the base is out of reach")
	for name, c := range map[string]struct {
		o    Options
		code fault.Code
	}{
		"documents":      {Options{List: based(many...), Guard: say(good)}, fault.Usage},
		"bytes":          {Options{List: based("a.json", "b.json", "c.json", "d.json"), Guard: say(good + strings.Repeat(" ", MaxFile-len(good)))}, fault.Usage},
		"one's bytes":    {Options{List: based("a.json"), Guard: say(good + strings.Repeat(" ", MaxFile))}, fault.Usage},
		"one's products": {Options{List: based("a.json"), Guard: say(doc("["+strings.Repeat("{},", maxProducts)+"{}]", cleared))}, fault.Usage},
		"no list":        {Options{List: func(string) ([]string, bool, error) { return nil, true, out }, Guard: say(good)}, fault.Infra},
		"no document":    {Options{List: based("a.json"), Guard: func(string, int64) ([]byte, bool, error) { return nil, false, out }}, fault.Infra},
	} {
		t.Chdir(t.TempDir())
		c.o.Discover = true
		if s, err := Read(c.o); fault.CodeOf(t.Context(), err) != c.code || fault.HintOf(err) == "" {
			t.Errorf("%s: %v (%s), read %+v", name, err, fault.HintOf(err), s)
		}
	}
}

// A record keeps everything, and a damaged one clears nothing.
func TestKept(t *testing.T) {
	s := parsed(t, doc(`[{"@id":"pkg:oci/app","hashes":{"sha-256":"00"},"subcomponents":[{"@id":"pkg:deb/debian/curl"}]}]`, cleared))
	s.Documents = append(s.Documents, Unusable("x", errors.New("no")).Documents...)
	data, err := Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Encode(Decode(data))
	if err != nil || string(again) != string(data) {
		t.Errorf("%s became %s, %v", data, again, err)
	}
	for _, bad := range []string{"", "{}", `{"form":2,"max_age":"1h"}`, `{"form":1,"max_age":"x"}`, "[]", strings.Replace(string(data), `"form":1`, `"form":7`, 1)} {
		if d := Decode([]byte(bad)); len(d.Documents) != 1 || d.Documents[0].Problem == "" || len(d.Documents[0].Statements) != 0 {
			t.Errorf("%q: %+v", bad, d)
		}
	}
}

// Documents that mean harm take no more than a little.
func TestHostileDocuments(t *testing.T) {
	for name, text := range map[string]string{
		"empty statements": `{"@context":"https://openvex.dev/ns","author":"a","statements":[` + strings.Repeat("{},", 1_000_000) + `{}]}`,
		"empty products":   doc("["+strings.Repeat("{},", 1_000_000)+"{}]", cleared),
		"aliases":          strings.Replace(doc(`[{"@id":"pkg:oci/app"}]`, cleared), `["GHSA-1"]`, "["+strings.Repeat(`"",`, 1_000_000)+`""]`, 1),
		"deep":             strings.Repeat(`{"statements":[`, 500_000),
		"too long":         strings.Repeat(" ", MaxFile+1),
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		_, err := parse(name, []byte(text))
		runtime.ReadMemStats(&after)
		if grown := (after.TotalAlloc - before.TotalAlloc) >> 20; err == nil || grown > 100 {
			t.Errorf("%s: %v, %d MiB", name, err, grown)
		}
	}
	d, err := parse("x", []byte(strings.Replace(doc(`[{"@id":"pkg:oci/app"}]`, `,"status_notes":"`+strings.Repeat("n", 1<<20)+`"`+cleared), "Ann", strings.Repeat("A", 1<<20), 1)))
	if err != nil || len(d.Author) > maxText+10 || len(d.Statements[0].Notes) > maxText+10 {
		t.Errorf("%v, %d, %d", err, len(d.Author), len(d.Statements[0].Notes))
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(doc(`[{"@id":"pkg:oci/app@`+index+`","subcomponents":[{"@id":"pkg:deb/debian/curl@7.88"}]}]`, cleared)))
	f.Add([]byte(`{"@context":"https://openvex.dev/ns","author":"a","statements":[{"vulnerability":"CVE-1","products":[{"@id":"pkg:oci/app"}],"status":"affected"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := parse("x", data)
		if err != nil {
			return
		}
		s := &Set{Documents: []Document{d}}
		encoded, err := Encode(s)
		if err != nil {
			t.Fatal(err)
		}
		again := Decode(encoded)
		a, b := find(s.Matcher(image(), now), []string{"CVE-1"}, []string{curl}), find(again.Matcher(image(), now), []string{"CVE-1"}, []string{curl})
		if (a == nil) != (b == nil) || a != nil && (a.Status != b.Status || a.Void != b.Void || a.Exact != b.Exact) {
			t.Errorf("%+v, and kept %+v", a, b)
		}
	})
}

// What an untrusted keeper may still say raises; what it clears is for others.
func TestRaisingWith(t *testing.T) {
	statement := func(s Status) Statement { return Statement{Vulnerability: []string{"CVE-2099-1"}, Status: s} }
	kept := &Set{MaxAge: time.Hour, Documents: []Document{
		{Source: "a.json", Statements: []Statement{statement(NotAffected), statement(Affected), statement(Fixed), statement(UnderInvestigation)}},
		{Source: "b.json", Statements: []Statement{statement(Affected)}},
	}}
	raising := kept.Raising()
	if len(raising.Documents) != 2 || len(raising.Documents[0].Statements) != 2 || len(kept.Documents[0].Statements) != 4 {
		t.Fatalf("%+v of %+v", raising, kept)
	}
	for _, s := range raising.Documents[0].Statements {
		if s.Status != Affected && s.Status != UnderInvestigation {
			t.Errorf("%s is left", s.Status)
		}
	}
	own := &Set{Documents: []Document{{Source: "b.json", Statements: []Statement{statement(NotAffected)}}}}
	both := own.With(raising)
	if len(both.Documents) != 2 || both.Documents[0].Statements[0].Status != NotAffected || both.Documents[1].Source != "a.json" || len(own.Documents) != 1 {
		t.Errorf("%+v", both)
	}
	var none *Set
	if none.Raising() != nil || none.With(nil) != nil || none.With(own) != own || own.With(nil) != own {
		t.Error("nothing is something")
	}
}
