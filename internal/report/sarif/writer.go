package sarif

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/report"
)

// writer gathers the rules and results of one file.
type writer struct {
	img      report.Image
	o        Options
	suppress bool

	rules     []rule
	worst     []*judge.Assessment // of each rule
	ruleIndex map[string]int
	results   []result
	seen      map[string]int // how often a fingerprint occurred
}

// add adds an assessment's result, and its rule where it is the first of it.
func (w *writer) add(a *judge.Assessment) {
	id := foreign.Text(a.Vulnerability).Line(200)
	index, known := w.ruleIndex[id]
	switch {
	case !known:
		index = len(w.rules)
		w.ruleIndex[id] = index
		w.rules, w.worst = append(w.rules, ruleOf(id, a)), append(w.worst, a)
	case severe(a, w.worst[index]):
		w.rules[index], w.worst[index] = ruleOf(id, a), a
	}
	r := result{
		RuleID: id, RuleIndex: index, Level: bandOf(a.Severity).level, Message: message{Text: about(a)},
		Locations: []location{{
			Physical: physical{artifact{w.file()}, region{1}},
			Logical:  []logical{{foreign.Text(a.PURL).Line(500), "module"}},
		}},
		Fingerprints: w.fingerprints(a),
		Properties: resultProperties{
			Status: string(a.Status), Reason: string(a.Reason), Package: plain(a.PackageName, 200), Version: plain(a.PackageVersion, 200),
			FixedIn: plain(strings.Join(a.FixVersions, ", "), 300), New: w.fresh(a),
		},
	}
	if a.PURL == "" {
		r.Locations[0].Logical = nil
	}
	if a.Status == judge.UnderInvestigation {
		r.Level = "note"
	}
	if s := a.Seen; s != nil {
		r.Properties.Seen, r.Properties.Process, r.Properties.Phase = plain(s.Path, 500), plain(s.Process, 60), plain(s.Phase, 60)
	}
	if w.suppress {
		r.Suppressions = suppressions(a)
	}
	w.results = append(w.results, r)
}

func ruleOf(id string, a *judge.Assessment) rule {
	r := rule{
		ID: id, Short: message{Text: title(a)}, HelpURI: helpURI(a.Vulnerability),
		Help:          help{plain(advice(a), 500), foreign.Text(advice(a)).Markdown(700)},
		Configuration: configuration{bandOf(a.Severity).level},
		Properties:    ruleProperties{[]string{"security", "vulnerability", "container"}, score(a)},
	}
	r.Full = message{Text: plain(strings.Join(strings.Fields(a.Description), " "), 700)}
	if r.Full.Text == "" {
		r.Full = r.Short
	}
	return r
}

// suppressions say why a finding is no alert: none for what is affected.
func suppressions(a *judge.Assessment) *[]suppression {
	all := []suppression{}
	switch a.Status {
	case judge.NotAffected, judge.Fixed:
		all = append(all, suppression{"external", "accepted", plain(a.Text, 700)})
	case judge.UnderInvestigation:
		all = append(all, suppression{"external", "underReview", plain(a.Text, 700)})
	}
	return &all
}

// fresh says whether a finding is new; nil where nobody knows.
func (w *writer) fresh(a *judge.Assessment) *bool {
	c := w.img.Change
	if c == nil || !c.Baseline.Usable() || a.Status != judge.Affected {
		return nil
	}
	fresh := c.New(a)
	return &fresh
}

// fingerprints tell a result from all others, the same in each run whatever
// the versions of image and package: code scanning knows an alert again by the
// first (https://docs.github.com/code-security/code-scanning, fingerprints).
func (w *writer) fingerprints(a *judge.Assessment) fingerprints {
	sum := sha256.Sum256([]byte(strings.Join([]string{
		report.ImageKey(w.img.Record.Subject), a.Vulnerability, baseline.PackageKey(a.PURL, a.PackageType, a.PackageName),
	}, "\x00")))
	hash := hex.EncodeToString(sum[:16])
	w.seen[hash]++
	print := fmt.Sprintf("%s:%d", hash, w.seen[hash])
	return fingerprints{print, print}
}

// file is the address of the Dockerfile within the repository.
func (w *writer) file() string {
	name := path.Clean(strings.ReplaceAll(w.o.Dockerfile, `\`, "/"))
	if w.o.Dockerfile == "" || name == "." || name == ".." || strings.HasPrefix(name, "/") || strings.HasPrefix(name, "../") || strings.ContainsRune(name, 0) {
		name = "Dockerfile"
	}
	return (&url.URL{Path: foreign.Text(name).Line(1000)}).String()
}

var plainID = regexp.MustCompile(`[^A-Za-z0-9._/-]+`)

// category names the analysis, one for each repository and platform of images;
// code scanning takes what stands before the last slash.
func (w *writer) category() string {
	s := w.img.Record.Subject
	name := s.Repository
	if name == "" {
		name = s.Requested
	}
	name = strings.Trim(plainID.ReplaceAllString("vexxy/"+name+"/"+s.Platform.String(), "-"), "/")
	return name[:min(len(name), 400)] + "/"
}

// run gives the run but for its two long lists.
func (w *writer) run(notes []notification) run {
	r := w.img.Record
	code := int(w.img.Decision.Code)
	return run{
		Tool: tool{driver{
			Name: "vexxy", Version: foreign.Text(r.Run.Version).Line(60), InformationURI: "https://github.com/vexxy/action",
			Rules: here,
		}},
		Automation: automation{w.category()},
		Invocations: []invocation{{
			Successful: w.img.Judgement.Sufficient, ExitCode: &code, Start: instant(r.Run.StartedAt), End: instant(r.Run.FinishedAt), Notifications: notes,
		}},
		Results: here,
		Properties: runProperties{
			Image: plain(r.Subject.Requested, 400), Digest: plain(r.Subject.Digest(), 100), Platform: plain(r.Subject.Platform.String(), 60),
			Verdict: string(w.img.Decision.Verdict), Confidence: string(w.img.Judgement.Confidence), RunID: plain(r.Run.ID, 110), Record: plain(r.Digest, 100),
		},
	}
}

// instant is a time as SARIF writes it; empty for none.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// notifications tell of what the reader must know of the file as a whole.
func notifications(img report.Image, results, left int) []notification {
	notes := []notification{}
	if left > 0 {
		notes = append(notes, notification{"warning", message{Text: fmt.Sprintf(
			"This file has the %d worst of %d findings, to keep the limits of code scanning. %d are left out; all are in result.json.", results, results+left, left)}})
	}
	if !img.Judgement.Sufficient {
		var failed []string
		for _, c := range img.Judgement.Checks {
			if c.Applies && !c.OK {
				failed = append(failed, plain(c.ID, 20)+" ("+plain(c.Measured, 200)+")")
			}
		}
		notes = append(notes, notification{"error", message{Text: "The evidence is insufficient, so that nothing is called not affected: " + strings.Join(failed, ", ") + "."}})
	}
	return notes
}
