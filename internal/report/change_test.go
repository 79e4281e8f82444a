package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/report"
	"github.com/vexxy/action/internal/report/reporttest"
)

// uncomparable is sample with a baseline that cannot be used.
func uncomparable() report.Image {
	img := compared()
	img.Change = baseline.Compare(baseline.Unusable("baseline/result.json", errors.New("reading baseline: it is no result.json of vexxy: it has no schema_version")), img.Judgement)
	return img
}

func TestChange(t *testing.T) {
	reporttest.Golden(t, "change.result.json", result(t, compared()))
	reporttest.Golden(t, "change.summary.md", report.Summary(compared(), 1<<20))
	reporttest.Golden(t, "no-baseline.summary.md", report.Summary(uncomparable(), 1<<20))
	for name, img := range map[string]report.Image{"change": compared(), "no-baseline": uncomparable()} {
		var table bytes.Buffer
		if err := report.Table(&table, []report.Shown{{Entry: entry(img), Image: &img}}, report.TableOptions{}); err != nil {
			t.Fatal(err)
		}
		reporttest.Golden(t, name+".table.txt", table.Bytes())
	}
	s := compiled(t)
	for name, img := range map[string]report.Image{"compared": compared(), "uncomparable": uncomparable()} {
		if err := valid(t, s, result(t, img)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := string(result(t, compared()))
	for _, c := range []struct{ old, new string }{
		{`"class": "newly_affected"`, `"class": "unchanged"`},
		{`"newly_fixed": 1,`, ``},
		{`"usable": true`, `"usable": "yes"`},
		{`"before": "under_investigation"`, `"before": ""`},
	} {
		bad := strings.Replace(good, c.old, c.new, 1)
		if bad == good {
			t.Errorf("the result holds no %s", c.old)
		} else if valid(t, s, []byte(bad)) == nil {
			t.Errorf("the schema accepts %q in place of %s", c.new, c.old)
		}
	}
}

// The list of changes is cut, its counts are not.
func TestChangeIsBounded(t *testing.T) {
	img := large(6000)
	img.Change = baseline.Compare(baseline.Baseline{Statements: []baseline.Statement{}}, img.Judgement)
	data := result(t, img)
	if err := valid(t, compiled(t), data); err != nil {
		t.Error(err)
	}
	var doc struct {
		Change struct {
			Findings map[string]int
			Items    []struct{ Class string }
		}
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	if n := doc.Change.Findings; n["newly_affected"] != 2400 || n["added"] != 3600 || len(doc.Change.Items) != 2000 || doc.Change.Items[1999].Class != "newly_affected" {
		t.Errorf("%v with %d items", n, len(doc.Change.Items))
	}
}

// An earlier result goes through the whole of it: what result.json says is
// what the next run compares with.
func TestResultIsItsOwnBaseline(t *testing.T) {
	img := compared()
	c := baseline.Compare(reread(t, img), img.Judgement)
	if len(c.Items) != 0 || !c.Baseline.Usable() || c.Before[judge.Affected] != img.Judgement.Summary.Affected {
		t.Errorf("%+v", c)
	}
	d := gate.Decide(gate.Policy{OnlyNew: true}, img.Judgement, c)
	if d.Counted != 0 {
		t.Errorf("%+v", d)
	}
}
