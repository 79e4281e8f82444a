package attest

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/record"
)

// recorded is a recorded run, as if its image had been pushed with the digest.
func recorded(t testing.TB, repository, digest string) (record.Record, judge.Judgement) {
	t.Helper()
	rec, err := record.Read("../../testdata/runs/go-app")
	if err != nil {
		t.Fatal(err)
	}
	rec.Subject.Repository, rec.Subject.ManifestDigest = repository, digest
	return rec, judge.Judge(rec)
}

var testDocuments = []Document{
	{"openvex", "vex.openvex.json", TypeOpenVEX, []byte("{\n \"@context\": \"https://openvex.dev/ns/v0.2.0\", \"author\": \"vexxy\", \"statements\": []}\n")},
	{"sbom", "sbom.runtime.cdx.json", TypeCycloneDX, []byte(`{"bomFormat":"CycloneDX","specVersion":"1.6"}`)},
}

func statementsFor(t testing.TB, repository, digest string) []Statement {
	t.Helper()
	rec, j := recorded(t, repository, digest)
	all, err := Statements(rec, j, "pass", testDocuments, MaxStatement)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var digestA = "sha256:" + strings.Repeat("a", 64)

// The evidence of a real run follows its schema, names the platform's digest
// as the subject and the other documents by theirs.
func TestStatements(t *testing.T) {
	all := statementsFor(t, "example.com/app", digestA)
	if len(all) != 3 || all[0].PredicateType != TypeEvidence || all[1].PredicateType != TypeOpenVEX || all[2].PredicateType != TypeCycloneDX {
		t.Fatalf("statements are %+v", all)
	}
	for _, s := range all {
		h, err := readStatement(s.Payload, digestA)
		if err != nil || h.PredicateType != s.PredicateType || !bytes.Equal(h.Predicate, s.Predicate) {
			t.Errorf("%s: %v, %+v", s.Name, err, h)
		}
		if _, err := readStatement(s.Payload, "sha256:"+strings.Repeat("b", 64)); err == nil {
			t.Errorf("%s is taken for another image's", s.Name)
		}
	}
	validate(t, all[0].Predicate)
	e, err := readEvidence(all[0].Predicate)
	if err != nil {
		t.Fatal(err)
	}
	rec, j := recorded(t, "example.com/app", digestA)
	if e.Window.Seconds <= 0 || e.Window.Seconds != rec.Evidence.Window.Seconds() || e.Record.Digest != rec.Digest || len(e.Checks) != 9 ||
		e.Inconclusive == j.Sufficient || e.Image.ManifestDigest != digestA || e.Database.Digest == "" {
		t.Errorf("evidence is %+v", e)
	}
	for _, d := range e.Documents {
		for _, s := range all[1:] {
			if s.PredicateType == d.PredicateType && d.PredicateSHA256 != sum(s.Predicate) {
				t.Errorf("%s has another digest than its statement", d.Name)
			}
		}
	}
	if len(e.Documents) != 2 || e.Documents[1].SHA256 != sum(testDocuments[0].Data) {
		t.Errorf("documents are %+v", e.Documents)
	}
}

// Equal arguments give equal bytes.
func TestStatementsAreDeterministic(t *testing.T) {
	a, b := statementsFor(t, "example.com/app", digestA), statementsFor(t, "example.com/app", digestA)
	for i := range a {
		if !bytes.Equal(a[i].Payload, b[i].Payload) {
			t.Errorf("%s differs from run to run", a[i].Name)
		}
	}
}

// Insufficient evidence is marked as such, and the schema knows it.
func TestInconclusiveEvidence(t *testing.T) {
	rec, _ := recorded(t, "example.com/app", digestA)
	rec.Evidence.Health.Lost.Ring = 7
	all, err := Statements(rec, judge.Judge(rec), "inconclusive", nil, MaxStatement)
	if err != nil {
		t.Fatal(err)
	}
	validate(t, all[0].Predicate)
	e, err := readEvidence(all[0].Predicate)
	if err != nil || !e.Inconclusive || e.Confidence != "none" || e.LostEvents != 7 || e.Verdict != "inconclusive" {
		t.Errorf("evidence is %+v, %v", e, err)
	}
}

// An image without a digest in a registry has nothing to attest to.
func TestLocalImage(t *testing.T) {
	rec, j := recorded(t, "", "")
	if _, err := Statements(rec, j, "pass", nil, MaxStatement); !errors.Is(err, ErrLocal) {
		t.Errorf("error is %v", err)
	}
}

func TestStatementsThatAreNone(t *testing.T) {
	good := string(statementsFor(t, "example.com/app", digestA)[0].Payload)
	for name, payload := range map[string]string{
		"empty":        "",
		"no JSON":      good[:len(good)-1],
		"other type":   strings.Replace(good, statementType, "https://example.com/Statement", 1),
		"no predicate": `{"_type":"` + statementType + `","subject":[{"digest":{"sha256":"` + digestA[7:] + `"}}],"predicateType":"x"}`,
		"null":         strings.Replace(good, `"predicate":{`, `"predicate":null,"x":{`, 1),
		"no subject":   strings.Replace(good, digestA[7:], "", 1),
		"other digest": strings.Replace(good, `"digest":{"sha256"`, `"digest":{"sha512"`, 1),
	} {
		if h, err := readStatement([]byte(payload), digestA); err == nil {
			t.Errorf("%s: read as %+v", name, h)
		}
	}
}

// validate holds a predicate to the schema of evidence.
func validate(t *testing.T, predicate []byte) {
	t.Helper()
	follows(t, EvidenceSchema(), predicate, "inconclusive")
}

// follows holds a document to a schema, which must also miss the needed field.
func follows(t *testing.T, schemaText, document []byte, needed string) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemaText))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(value); err != nil {
		t.Error(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(document, &fields); err != nil {
		t.Fatal(err)
	}
	delete(fields, needed)
	if err := schema.Validate(any(fields)); err == nil {
		t.Errorf("the schema does without %s", needed)
	}
}

// The evidence is held to the limit as the documents are: it has no parts, and
// smaller ones of theirs would not help.
func TestEvidenceThatIsTooLarge(t *testing.T) {
	b := newBed(t, true, nil)
	rec, j := recorded(t, b.subject.Repository, b.subject.ManifestDigest)
	whole, err := Statements(rec, j, "pass", nil, MaxStatement)
	if err != nil {
		t.Fatal(err)
	}
	size := len(whole[0].Payload)
	if _, err := Statements(rec, j, "pass", nil, size); err != nil {
		t.Errorf("what fits: %v", err)
	}
	if _, err := Statements(rec, j, "pass", nil, size-1); !errors.Is(err, ErrTooLarge) || fault.CodeOf(t.Context(), err) != fault.Attest || fault.HintOf(err) == "" {
		t.Errorf("what does not: %v", err)
	}
}
