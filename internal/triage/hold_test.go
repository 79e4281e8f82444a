package triage

import (
	"fmt"
	"strings"
	"testing"
)

// What clears is about all instances of a package, what raises about any; what
// is void for that hides nothing that is older.
func TestInstances(t *testing.T) {
	say := func(day, product, status string) string {
		return doc(`[`+product+`]`, `,"timestamp":"2026-02-`+day+`T00:00:00Z","status":"`+status+`","justification":"component_not_present"`)
	}
	const (
		i386  = `{"@id":"pkg:deb/debian/curl@7.88?arch=i386"}`
		amd64 = `{"@id":"pkg:deb/debian/curl@7.88?arch=amd64"}`
		any   = `{"@id":"pkg:deb/debian/curl"}`
		bare  = "pkg:deb/debian/curl@7.88"
	)
	both := [][]string{{bare, bare + "?arch=amd64"}, {bare, bare + "?arch=i386"}}
	for name, c := range map[string]struct {
		texts  []string
		status Status
		void   string
	}{
		"one is cleared":          {[]string{say("01", i386, "not_affected")}, NotAffected, "some instances"},
		"both are":                {[]string{say("01", i386+","+amd64, "not_affected")}, NotAffected, ""},
		"all are":                 {[]string{say("01", any, "not_affected")}, NotAffected, ""},
		"one is raised":           {[]string{say("01", i386, "affected")}, Affected, ""},
		"raised, and one cleared": {[]string{say("01", any, "affected"), say("02", i386, "not_affected")}, Affected, ""},
		"fixed inexactly":         {[]string{say("01", any, "affected"), say("02", any, "fixed")}, Affected, ""},
		"fixed inexactly alone":   {[]string{say("02", any, "fixed")}, Fixed, "neither this version"},
		"fixed exactly":           {[]string{say("01", any, "affected"), say("02", i386+","+amd64, "fixed")}, Fixed, ""},
	} {
		own, foreign := parsed(t, c.texts...).Matcher(image(), now).Find([]string{"CVE-1"}, both)
		if own == nil || foreign != nil || own.Status != c.status || (own.Void == "") != (c.void == "") || !strings.Contains(own.Void, c.void) {
			t.Errorf("%s: %+v, %+v", name, own, foreign)
		}
	}
}

// Neither side silences the other, and another's record clears nothing.
func TestForeignApart(t *testing.T) {
	at := func(day, status string) string {
		return doc(`[{"@id":"pkg:oci/app"}]`, `,"timestamp":"2026-02-`+day+`T00:00:00Z","status":"`+status+`","justification":"component_not_present"`)
	}
	theirs := parsed(t, at("09", "under_investigation"), at("10", "not_affected"), at("11", "fixed"))
	theirs.Documents[1].Statements = append(theirs.Documents[1].Statements, Statement{
		Status: "x", Vulnerability: []string{"CVE-1"}, Products: []Product{{Component: Component{IDs: []string{"pkg:oci/app"}}}}, At: now,
	})
	for i := range theirs.Documents {
		theirs.Documents[i].Source += " of the record"
	}
	both := parsed(t, at("01", "affected")).With(theirs.Raising())
	own, foreign := both.Matcher(image(), now).Find([]string{"CVE-1"}, [][]string{{curl}})
	if own == nil || own.Status != Affected || foreign == nil || foreign.Status != UnderInvestigation {
		t.Errorf("%+v, %+v", own, foreign)
	}
	data, err := Encode(theirs)
	if err != nil {
		t.Fatal(err)
	}
	if d := Decode(data).Documents[1]; len(d.Statements) != 1 || d.Unread != 1 {
		t.Errorf("%+v", d)
	}
}

// A record's set is within the bounds of a document, whoever wrote it.
func TestKeptIsBounded(t *testing.T) {
	set := func(documents string) []byte {
		return []byte(`{"form":1,"max_age":"1h","documents":[` + documents + `]}`)
	}
	ids := strings.Repeat(`"a",`, 99) + `"b"`
	for name, data := range map[string][]byte{
		"documents":  set(strings.Repeat("{},", 1_000_000) + "{}"),
		"statements": set(`{"statements":[` + strings.Repeat("{},", 1_000_000) + `{}]}`),
		"products":   set(`{"statements":[{"products":[` + strings.Repeat("{},", 1_000_000) + `{}]}]}`),
		"names":      set(`{"statements":[{"vulnerability":[` + ids + `,` + ids + `]}]}`),
	} {
		if s := Decode(data); len(s.Documents) != 1 || s.Documents[0].Problem == "" || len(s.Documents[0].Statements) != 0 {
			t.Errorf("%s: %d documents", name, len(s.Documents))
		}
	}
}

// However many packages a document names, one is looked for among those of its
// name and version alone.
func TestFindComparesFew(t *testing.T) {
	var products []string
	for i := range maxProducts {
		products = append(products, fmt.Sprintf(`{"@id":"pkg:deb/debian/p%d@1"}`, i))
	}
	m := parsed(t, doc("["+strings.Join(products, ",")+"]", cleared)).Matcher(image(), now)
	for in, targets := range m.targets {
		if len(targets) != 1 {
			t.Errorf("%d are compared at %q", len(targets), in)
		}
	}
	if len(m.targets) != 2*maxProducts || find(m, []string{"CVE-1"}, []string{"pkg:deb/debian/p7@1?arch=x"}) == nil {
		t.Errorf("%d places", len(m.targets))
	}
}

// What is expired by the keeper's clock stays so, whatever a record says is now.
func TestCurrent(t *testing.T) {
	s := parsed(t, doc(`[{"@id":"pkg:oci/app"}]`, cleared))
	old := s.Current(now.Add(DefaultMaxAge))
	data, err := Encode(old)
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range []*Set{old, Decode(data)} {
		if c := find(set.Matcher(image(), now), []string{"CVE-1"}, []string{curl}); c == nil || c.Void != "it is expired" {
			t.Errorf("%+v", c)
		}
	}
	if c := find(s.Current(now).Matcher(image(), now), []string{"CVE-1"}, []string{curl}); c == nil || c.Void != "" {
		t.Errorf("%+v", c)
	}
}
