package report_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/foreign/foreigntest"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/report"
	"github.com/vexxy/action/internal/report/reporttest"
)

// contradicted is the sample with a person's word on its findings: what was seen
// in use is said to be not affected, and something is raised and cleared.
func contradicted(text string) report.Image {
	img := sample()
	said := func(i int, e judge.Effect, s judge.Status, why string) {
		img.Judgement.Assessments[i].Human = &judge.Human{
			Effect: e, Why: why, Status: s, Author: text, Role: text, At: reporttest.At(-3600), Justification: "component_not_present",
			Impact: text, Action: text, Notes: text, Document: text, Source: text, Foreign: e == judge.NoEffect,
		}
	}
	said(0, judge.Contradicted, judge.NotAffected, "")
	said(2, judge.NoEffect, judge.NotAffected, text)
	img.Judgement.Triage = &judge.Triage{
		Documents: []judge.TriageDocument{{Source: text, ID: text, Author: text, Statements: 2, Unread: 1}, {Source: text, Problem: text, Foreign: true}},
		Effects:   map[judge.Effect]int{judge.Contradicted: 1, judge.NoEffect: 1},
	}
	return img
}

// A contradiction stands before all else, in every document, however short.
func TestContradictionIsToldFirst(t *testing.T) {
	img := contradicted("Ann")
	reporttest.Golden(t, "people.summary.md", report.Summary(img, 1<<20))
	reporttest.Golden(t, "people.result.json", result(t, img))
	var table bytes.Buffer
	if err := report.Table(&table, []report.Shown{{Entry: entry(img), Image: &img}}, report.TableOptions{}); err != nil {
		t.Fatal(err)
	}
	reporttest.Golden(t, "people.table.txt", table.Bytes())
	texts := map[string]string{"table": strings.Join(strings.Fields(table.String()), " ")}
	for _, limit := range []int{1 << 20, 6000, 3500, 1} {
		texts["summary"] = string(report.Summary(img, limit))
		texts["comment"] = string(report.Comment(img, report.CommentOptions{Limit: limit}))
		for name, text := range texts {
			at := strings.Index(text, "CONTRADICTION: 1 finding was stated to be not affected by a person, and was seen in use")
			if at < 0 || at > 300 {
				t.Errorf("the %s of %d says it at %d:\n%.600s", name, limit, at, text)
			}
		}
	}
	r := run()
	r.Images[0].Contradictions = 2
	if text := string(report.OverallSummary(r, 1<<20)); !strings.Contains(text[:200], "CONTRADICTION: 2 findings") {
		t.Errorf("the summary over several images is\n%s", text)
	}
	overall, err := report.Overall(r)
	if err != nil || !bytes.Contains(overall, []byte(`"contradictions": 2`)) {
		t.Errorf("%v\n%s", err, overall)
	}
	s := compiled(t)
	for name, data := range map[string][]byte{"image": result(t, img), "run": overall} {
		if err := valid(t, s, data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if strings.Contains(string(report.Summary(sample(), 1<<20)), "CONTRADICTION") {
		t.Error("there is an alarm without a contradiction")
	}
}

// Names, reasons and notes of people's documents are foreign text.
func TestPeoplesTextIsForeign(t *testing.T) {
	s := compiled(t)
	for name, text := range foreigntest.Corpus() {
		img := contradicted(text)
		tame(t, name+" in the summary", report.Summary(img, 1<<20))
		tame(t, name+" in the comment", report.Comment(img, report.CommentOptions{}))
		var table bytes.Buffer
		if err := report.Table(&table, []report.Shown{{Entry: entry(img), Image: &img}}, report.TableOptions{Width: 100}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(table.String()) {
			if len([]rune(strings.TrimSuffix(line, "\n"))) > 100 || strings.ContainsAny(line, "\x1b\r") {
				t.Errorf("%s: the line %.200q", name, line)
			}
		}
		if err := valid(t, s, result(t, img)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
