package run

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/report"
)

// notary attests as it is told to, and looks at what is there by then.
type notary struct {
	t    *testing.T
	err  error
	seen int
	// spoil names a document in whose place it leaves a folder.
	spoil string
}

func (n *notary) Attest(_ context.Context, docs Documents, dir string) (report.Attested, error) {
	n.seen++
	for name := range docs.Files {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			n.t.Errorf("%s is not there when it is attested: %v", name, err)
		}
	}
	if w := result(n.t, dir); w.Verdict != "error" {
		n.t.Errorf("the result says %q before all is attested", w.Verdict)
	}
	if n.spoil != "" {
		path := filepath.Join(dir, n.spoil)
		if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o755)); err != nil {
			n.t.Error(err)
		}
	}
	return report.Attested{Mode: "key", Attestations: []report.Attestation{{Statement: "evidence", Reference: "r@sha256:1"}}}, n.err
}

// What was attested stands in the result's one part that is no function of the
// record, so that a replay still gives all the rest.
func TestAttestedStandsInTheResult(t *testing.T) {
	plain, attested := plan(t, &engine{}, "one"), plan(t, &engine{}, "one")
	n := &notary{t: t}
	attested.Attester = n
	for _, p := range []Plan{plain, attested} {
		if out, err := Run(t.Context(), p); err != nil || out.Code != fault.Pass {
			t.Fatalf("code %d, %v", out.Code, err)
		}
	}
	raw, err := os.ReadFile(filepath.Join(attested.OutputDir, ResultFile))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Publication struct {
			Files    []report.File    `json:"files"`
			Attested *report.Attested `json:"attested"`
		} `json:"publication"`
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if a := got.Publication.Attested; n.seen != 1 || a == nil || len(a.Attestations) != 1 || a.Attestations[0].Reference != "r@sha256:1" || len(got.Publication.Files) < 6 {
		t.Errorf("publication is %+v", got.Publication)
	}
	if pure := report.Pure(raw); bytes.Contains(pure, []byte("r@sha256:1")) || !bytes.Contains(pure, []byte(`"verdict": "pass"`)) {
		t.Errorf("the pure part is %.200s", pure)
	}
}

// Nothing passes that should have been attested and was not; a worse cause
// keeps its code, and all causes are told.
func TestAttestingFails(t *testing.T) {
	failing := gate.Policy{Max: 0}
	for name, c := range map[string]struct {
		policy  gate.Policy
		code    fault.Code
		want    fault.Code
		verdict string
	}{
		"signing failed":           {gate.Policy{Max: gate.Unlimited}, fault.Attest, fault.Attest, "error"},
		"read back something else": {gate.Policy{Max: gate.Unlimited}, fault.Integrity, fault.Integrity, "error"},
		"the gate failed too":      {failing, fault.Attest, fault.GateFailed, "fail"},
		"a breach is worse":        {failing, fault.Integrity, fault.Integrity, "error"},
	} {
		t.Run(name, func(t *testing.T) {
			p := plan(t, &engine{}, "one")
			p.Policy = c.policy
			p.Attester = &notary{t: t, err: fault.New(c.code, "a hint", "attesting: %w", errors.New("no such luck"))}
			out, err := Run(t.Context(), p)
			if err != nil || out.Code != c.want || string(out.Verdict) != c.verdict || out.Images[0].AttestErr == nil {
				t.Fatalf("code %d, verdict %s, %v", out.Code, out.Verdict, err)
			}
			w := result(t, p.OutputDir)
			if w.Verdict != c.verdict || w.ExitCode != int(c.want) || !strings.Contains(strings.Join(w.Causes, ";"), "no such luck") {
				t.Errorf("result is %+v", w)
			}
			summary, err := os.ReadFile(filepath.Join(p.OutputDir, SummaryFile))
			if err != nil || !bytes.Contains(summary, []byte("no such luck")) {
				t.Errorf("the summary does not tell: %v", err)
			}
			// So do the documents for hosts, as they are made of that decision.
			want, err := reports(out.Images[0].Image)
			if err != nil {
				t.Fatal(err)
			}
			for name, data := range want {
				if got, err := os.ReadFile(filepath.Join(p.OutputDir, name)); err != nil || !bytes.Equal(got, data) {
					t.Errorf("%s is not of the last decision: %v", name, err)
				}
			}
			for _, name := range []string{CommentFile, SARIFFile, SARIFAllFile} {
				mark := "\"verdict\": \"" + c.verdict + "\""
				if name == CommentFile {
					mark = "vexxy: " + c.verdict
				}
				if !bytes.Contains(want[name], []byte(mark)) {
					t.Errorf("%s lacks %s", name, mark)
				}
			}
		})
	}
}

// Documents that cannot be written anew are an error of the run: the older ones
// say of an image that is not attested that it passes.
func TestAttestingFailsAndCannotBeTold(t *testing.T) {
	p := plan(t, &engine{}, "one")
	p.Policy = gate.Policy{Max: gate.Unlimited}
	p.Attester = &notary{t: t, err: fault.New(fault.Attest, "a hint", "attesting: no such luck"), spoil: SARIFFile}
	out, err := Run(t.Context(), p)
	if err != nil || out.Images[0].Err == nil || out.Code != fault.Attest || out.Verdict != gate.VerdictError {
		t.Fatalf("code %d, verdict %s, %v, image's error %v", out.Code, out.Verdict, err, out.Images[0].Err)
	}
	causes := strings.Join(result(t, p.OutputDir).Causes, ";")
	for _, want := range []string{"no such luck", "writing ", SARIFFile} {
		if !strings.Contains(causes, want) {
			t.Errorf("the causes %q lack %q", causes, want)
		}
	}
}
