package app

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/run"
)

// left gives a folder with what another job has left of a recorded run: record
// and documents, as if it had been made in the run of a workflow that of names.
func left(t *testing.T, of record.Origin, change func(*record.Record)) string {
	t.Helper()
	rec, err := record.Read(filepath.Join(sourceDir, "..", "..", "testdata", "runs", "go-app"))
	if err != nil {
		t.Fatal(err)
	}
	rec.Run.Settings["cpu-limit"] = "7" // which a command would tell
	rec.Run.Origin = &of
	if of == (record.Origin{}) {
		rec.Run.Origin = nil
	}
	if change != nil {
		change(&rec)
	}
	dir := filepath.Join(t.TempDir(), "observed")
	leave(t, dir, &rec)
	return dir
}

// leave writes a record and its documents as a run does.
func leave(t *testing.T, dir string, rec *record.Record) {
	t.Helper()
	if err := record.Write(filepath.Join(dir, recordFolder), rec); err != nil {
		t.Fatal(err)
	}
	docs, err := run.Compose(t.Context(), *rec, load(t).Policy())
	if err != nil {
		t.Fatal(err)
	}
	if err := docs.WriteTo(dir); err != nil {
		t.Fatal(err)
	}
}

// own is the origin of a job's own run.
func (j *job) own() record.Origin {
	return record.Origin{Repository: "octo/app", Commit: j.head, Run: "99"}
}

// imageOf is the reference in the recorded run.
func imageOf(t *testing.T) string {
	t.Helper()
	rec, err := record.Read(filepath.Join(sourceDir, "..", "..", "testdata", "runs", "go-app"))
	if err != nil {
		t.Fatal(err)
	}
	return rec.Subject.Requested
}

// main runs the program in the job.
func (j *job) main(t *testing.T, args ...string) fault.Code {
	t.Helper()
	return fault.Code(Main(args, j.streams(t)))
}

// The job that publishes gates by its own policy: neither the policy nor the
// baseline nor the verdict that the record came with counts.
func TestPublishDecidesItself(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*record.Record)
		more   []string
		code   fault.Code
	}{
		"no policy":                  {nil, nil, fault.Pass},
		"a policy":                   {nil, []string{"INPUT_MAX-AFFECTED=0"}, fault.GateFailed},
		"a record that warns":        {func(r *record.Record) { r.Run.Settings["warn-only"] = "true" }, []string{"INPUT_MAX-AFFECTED=0"}, fault.GateFailed},
		"a record with a baseline":   {func(r *record.Record) { r.Raw = map[string][]byte{record.RawBaseline: everythingOld(t, *r)} }, []string{"INPUT_MAX-AFFECTED=0", "INPUT_FAIL-ON=new"}, fault.GateFailed},
		"a record with a tight gate": {func(r *record.Record) { r.Run.Settings["max-affected"] = "0" }, nil, fault.Pass},
		"a record that lifts the age": {func(r *record.Record) {
			r.Run.Settings["max-db-age"] = "0s"
			r.Inventory.Database.Built = r.Run.StartedAt.AddDate(-1, 0, 0)
		}, nil, fault.Inconclusive},
		"an age that this job lifts": {func(r *record.Record) { r.Inventory.Database.Built = r.Run.StartedAt.AddDate(-1, 0, 0) }, []string{"INPUT_MAX-DB-AGE=0"}, fault.Pass},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, "pull_request", "", "", append(c.more, "INPUT_COMMENT=never")...)
			j.environ = append(j.environ, "INPUT_IMAGE=")
			dir := left(t, j.own(), c.change)
			write(t, filepath.Join(dir, run.ResultFile), `{"verdict":"pass","exit_code":0}`)
			write(t, filepath.Join(dir, run.SummaryFile), "forged summary")
			if code := j.main(t, "publish", dir); code != c.code {
				t.Errorf("code %d, want %d\n%s", code, c.code, j.read(t, j.log))
			}
			got := j.outputs(t)
			if got["exit-code"] != fmt.Sprint(int(c.code)) || got["run-id"] == "" || got["result"] != filepath.Join(j.dir, "vexxy-results", run.ResultFile) {
				t.Errorf("outputs %v", got)
			}
			if page := j.read(t, j.page); !strings.Contains(page, "vexxy: "+got["verdict"]) || strings.Contains(page, "forged") || strings.Contains(page, "vexxy run ") {
				t.Errorf("page %s", page)
			}
		})
	}
}

// everythingOld is a record's baseline in which all that is affected was so
// already.
func everythingOld(t *testing.T, rec record.Record) []byte {
	t.Helper()
	dir := t.TempDir()
	leave(t, dir, &rec)
	set, err := baseline.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	data, err := baseline.Encode(set.For(rec.Subject, true))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// What is not of this run, or not whole, is refused, and nothing is said of it
// but that.
func TestRefusedArtifacts(t *testing.T) {
	huge := func(t *testing.T, path string) {
		t.Helper()
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := f.Truncate(100 << 30); err != nil {
			t.Fatal(err)
		}
	}
	secret := filepath.Join(t.TempDir(), "secret")
	write(t, secret, "canary-of-the-runner")
	for name, c := range map[string]struct {
		of     func(*record.Origin)
		change func(*record.Record)
		spoil  func(t *testing.T, dir string)
		image  string
		code   fault.Code
		says   string
	}{
		"another repository":  {of: func(o *record.Origin) { o.Repository = "octo/other" }, code: fault.Integrity, says: "of octo/other, not of run 99"},
		"another commit":      {of: func(o *record.Origin) { o.Commit = forkSHA }, code: fault.Integrity, says: "at commit 444444444444"},
		"another run":         {of: func(o *record.Origin) { o.Run = "98" }, code: fault.Integrity, says: "run 98"},
		"no run":              {of: func(o *record.Origin) { *o = record.Origin{} }, code: fault.Integrity, says: "it is of no job"},
		"hostile origin":      {of: func(o *record.Origin) { o.Repository = "x\n::error::y" }, code: fault.Integrity, says: `x\x0a`},
		"another image":       {image: "registry.example/other:1", code: fault.Integrity, says: "none of this job's images"},
		"an image is missing": {image: imageOf(t) + "\nregistry.example/other:1", code: fault.Integrity, says: "there is no record of registry.example/other:1"},
		"a digest of another image": {change: func(r *record.Record) {
			r.Subject.Requested = "registry.example/app@sha256:" + strings.Repeat("0", 64)
		}, code: fault.Integrity, says: "is of the digest"},
		"no ID":             {change: func(r *record.Record) { r.Run.ID = "../../x" }, code: fault.Integrity, says: "no run's ID"},
		"nothing":           {spoil: func(t *testing.T, dir string) { remove(t, filepath.Join(dir, recordFolder)) }, code: fault.Usage, says: "no record"},
		"a file is changed": {spoil: func(t *testing.T, dir string) { write(t, filepath.Join(dir, recordFolder, "findings.jsonl"), "") }, code: fault.Integrity, says: "checksum"},
		"no JSON":           {spoil: func(t *testing.T, dir string) { write(t, filepath.Join(dir, recordFolder, "SHA256SUMS"), "{]") }, code: fault.Integrity, says: "not understood"},
		"a link out": {spoil: func(t *testing.T, dir string) {
			link(t, secret, filepath.Join(dir, recordFolder, "sbom.syft.json"))
		}, code: fault.Integrity, says: "no regular file"},
		"the record is a link": {spoil: func(t *testing.T, dir string) {
			if err := os.Rename(filepath.Join(dir, recordFolder), dir+"-elsewhere"); err != nil {
				t.Fatal(err)
			}
			link(t, dir+"-elsewhere", filepath.Join(dir, recordFolder))
		}, code: fault.Usage, says: "no record"},
		"a huge file":  {spoil: func(t *testing.T, dir string) { huge(t, filepath.Join(dir, recordFolder, "observations.jsonl")) }, code: fault.Integrity, says: "bytes, at most"},
		"a huge list":  {spoil: func(t *testing.T, dir string) { huge(t, filepath.Join(dir, recordFolder, "SHA256SUMS")) }, code: fault.Integrity, says: "bytes, at most"},
		"two runs":     {spoil: twoRuns, code: fault.Integrity, says: "it is of two runs"},
		"twice":        {spoil: twice, code: fault.Integrity, says: "two records of"},
		"many folders": {spoil: manyFolders, code: fault.Integrity, says: "more than 1000 files"},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, "pull_request", "", "", "INPUT_COMMENT=never")
			origin := j.own()
			if c.of != nil {
				c.of(&origin)
			}
			dir := left(t, origin, c.change)
			if c.spoil != nil {
				c.spoil(t, dir)
			}
			j.environ = append(j.environ, "INPUT_IMAGE="+c.image)
			code := j.main(t, "publish", dir)
			log := j.read(t, j.log)
			if code != c.code || !strings.Contains(log, c.says) || strings.Contains(log, "canary-of") {
				t.Errorf("code %d, log:\n%s", code, log)
			}
			got := j.outputs(t)
			if got["verdict"] != "error" || got["affected"] != "" || got["result"] != "" || got["vex"] != "" {
				t.Errorf("outputs %v", got)
			}
			if page := j.read(t, j.page); !strings.Contains(page, "vexxy: error") {
				t.Errorf("page %s", page)
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

// link puts a link in the place of a file.
func link(t *testing.T, to, path string) {
	t.Helper()
	remove(t, path)
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

// several moves the one record into a folder, and puts another beside it.
func several(t *testing.T, dir string, change func(*record.Record)) {
	t.Helper()
	rec, err := record.Read(filepath.Join(dir, recordFolder))
	if err != nil {
		t.Fatal(err)
	}
	remove(t, filepath.Join(dir, recordFolder))
	leave(t, filepath.Join(dir, "one"), &rec)
	change(&rec)
	leave(t, filepath.Join(dir, "two"), &rec)
}

func twoRuns(t *testing.T, dir string) {
	several(t, dir, func(r *record.Record) { r.Run.ID, r.Subject.Requested = strings.Repeat("a", 24), "other" })
}

func twice(t *testing.T, dir string) { several(t, dir, func(*record.Record) {}) }

func manyFolders(t *testing.T, dir string) {
	remove(t, filepath.Join(dir, recordFolder))
	for i := range maxEntries + 1 {
		if err := os.Mkdir(filepath.Join(dir, fmt.Sprint("x", i)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

// Of several images each is judged, and the worst decides.
func TestPublishSeveral(t *testing.T) {
	j := newJob(t, "pull_request", "", "")
	dir := left(t, j.own(), nil)
	several(t, dir, func(r *record.Record) {
		r.Subject.Requested, r.Evidence.Health.Lost.Ring = "registry.example/second", 1
	})
	j.environ = append(j.environ, "INPUT_IMAGE=")
	if code := j.main(t, "publish", dir); code != fault.Inconclusive {
		t.Errorf("code %d\n%s", code, j.read(t, j.log))
	}
	got := j.outputs(t)
	if got["verdict"] != "inconclusive" || len(strings.Split(got["vex"], "\n")) != 2 || len(j.api.Comments()) != 1 {
		t.Errorf("outputs %v", got)
	}
}

// The results of the other job, this one's and its configuration are apart:
// none takes the place of another.
func TestResultsAreApart(t *testing.T) {
	for name, c := range map[string]struct{ from, more string }{
		"the same":             {"vexxy-results", ""},
		"one in the other":     {"vexxy-results/x", ""},
		"the other in the one": {"observed", "INPUT_OUTPUT-DIR=observed/results"},
		"by a link":            {"alias", "INPUT_OUTPUT-DIR=observed"},
		"the workspace":        {".", "INPUT_OUTPUT-DIR=/tmp/vexxy-elsewhere"},
		"the baseline":         {"observed", "INPUT_BASELINE=observed/result.json"},
		"the configuration":    {"observed", "INPUT_CONFIG=observed/.vexxy.yml"},
		"what people stated":   {"observed", "INPUT_VEX-DOCUMENTS=people.json\nobserved/vex.openvex.json"},
		"a folder of it":       {"observed", "INPUT_VEX-DOCUMENTS=alias"},
		"what is discovered":   {"observed", ".openvex"},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, "push", "", "", "INPUT_IMAGE=", c.more)
			rec, err := record.Read(filepath.Join(sourceDir, "..", "..", "testdata", "runs", "go-app"))
			if err != nil {
				t.Fatal(err)
			}
			own := j.own()
			rec.Run.Origin = &own
			leave(t, filepath.Join(j.dir, strings.Replace(c.from, "alias", "observed", 1)), &rec)
			write(t, filepath.Join(j.dir, strings.Replace(c.from, "alias", "observed", 1), ".vexxy.yml"), "warn-only: true\n")
			link(t, "observed", filepath.Join(j.dir, "alias"))
			if c.more == ".openvex" {
				link(t, "observed", filepath.Join(j.dir, c.more))
			}
			if code := j.main(t, "publish", c.from); code != fault.Usage || !strings.Contains(j.read(t, j.log), "are not apart") {
				t.Errorf("code %d\n%s", code, j.read(t, j.log))
			}
			if _, err := record.Read(filepath.Join(j.dir, c.from, recordFolder)); err != nil {
				t.Errorf("the record is gone: %v", err)
			}
		})
	}
}

// At a terminal the same commands print what a run prints.
func TestPublishAtATerminal(t *testing.T) {
	dir := left(t, record.Origin{}, nil)
	t.Chdir(t.TempDir())
	code, out, errs := vexxy(t, "publish", "--max-affected", "0", dir)
	if code != int(fault.GateFailed) || !strings.Contains(out, "FAIL") {
		t.Errorf("code %d\n%s%s", code, out, errs)
	}
	for _, args := range [][]string{{"publish"}, {"publish", dir, dir}, {"publish", filepath.Join(dir, "none")}, {"attest", dir}, {"attest", "--attest", "dry-run", dir}} {
		if code, _, errs := vexxy(t, args...); code != int(fault.Usage) || !strings.Contains(errs, "hint") {
			t.Errorf("%v: code %d, %s", args, code, errs)
		}
	}
}
