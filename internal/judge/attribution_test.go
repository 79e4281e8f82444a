package judge_test

import (
	"testing"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/judge/judgetest"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/triage"
)

const cve = "CVE-2026-0001"

// lang gives a package of a language's package manager.
func lang(kind, name, location string, files ...string) inventory.Package {
	purlType := map[string]string{"python": "pypi", "go-module": "golang", "java-archive": "maven/g", "gem": "gem", "npm": "npm"}[kind]
	return inventory.Package{
		ID: kind + "-" + name, Name: name, Version: "1.0", Type: kind, Location: location, Files: files,
		PURL: "pkg:" + purlType + "/" + name + "@1.0",
	}
}

// only gives the single assessment on a package.
func only(t *testing.T, j judge.Judgement, packageID string) judge.Assessment {
	t.Helper()
	var found []judge.Assessment
	for _, a := range j.Assessments {
		for _, id := range a.PackageIDs {
			if id == packageID {
				found = append(found, a)
			}
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d assessments on %s, want 1: %+v", len(found), packageID, found)
	}
	return found[0]
}

// Each row is one way from an observed file to a package.
func TestFromFileToPackage(t *testing.T) {
	deb, at := judgetest.Deb, judgetest.Observe
	const pkgs = "/usr/lib/python3/dist-packages"
	rows := []struct {
		name    string
		pkg     inventory.Package
		observe func(*record.Record)
		want    judge.Status
		reason  judge.Reason
	}{
		{"executed", deb("a", "", "/usr/bin/a"), func(r *record.Record) { at(r, "/usr/bin/a", evidence.Exec) }, judge.Affected, judge.ReasonObserved},
		{"interpreter", deb("libc6", "", "/usr/lib/ld.so"), func(r *record.Record) { at(r, "/usr/lib/ld.so", evidence.Interp) }, judge.Affected, judge.ReasonObserved},
		{"mapped", deb("a", "", "/usr/lib/a.so"), func(r *record.Record) { at(r, "/usr/lib/a.so", evidence.Map) }, judge.Affected, judge.ReasonObserved},
		{"opened", deb("a", "", "/usr/share/a/data"), func(r *record.Record) { at(r, "/usr/share/a/data", evidence.Open) }, judge.Affected, judge.ReasonObserved},
		{"not used", deb("a", "", "/usr/bin/a"), func(*record.Record) {}, judge.NotAffected, judge.ReasonNotObserved},
		{"a neighbour used", deb("a", "", "/usr/bin/a"), func(r *record.Record) { at(r, "/usr/bin/ab", evidence.Exec) }, judge.NotAffected, judge.ReasonNotObserved},
		{"by inode under another path", deb("a", "", "/usr/lib/a.so"), func(r *record.Record) {
			at(r, "/mnt/alias/a.so", evidence.Map).ImagePath = []byte("/usr/lib/a.so")
		}, judge.Affected, judge.ReasonObserved},
		{"on a volume that holds a copy", deb("a", "", "/usr/share/a/data"), func(r *record.Record) {
			at(r, "/usr/share/a/data", evidence.Open).Foreign = true
		}, judge.Affected, judge.ReasonObserved},
		{"deleted meanwhile", deb("a", "", "/usr/lib/a.so"), func(r *record.Record) { at(r, "/usr/lib/a.so (deleted)", evidence.Map) }, judge.Affected, judge.ReasonObserved},
		{"hard link", deb("a", "", "/usr/bin/a"), func(r *record.Record) {
			r.Inventory.HardLinks = [][]string{{"/opt/b", "/usr/bin/a"}}
			at(r, "/opt/b", evidence.Exec)
		}, judge.Affected, judge.ReasonObserved},
		{"hard link of bytecode's source", deb("a", "", pkgs+"/a.py"), func(r *record.Record) {
			r.Inventory.HardLinks = [][]string{{"/opt/b.py", pkgs + "/a.py"}}
			at(r, "/opt/__pycache__/b.cpython-311.pyc", evidence.Open)
		}, judge.Affected, judge.ReasonObserved},
		{"merged /usr, listed by the old path", deb("a", "", "/lib/a.so"), func(r *record.Record) { at(r, "/usr/lib/a.so", evidence.Map) }, judge.Affected, judge.ReasonObserved},
		{"merged /usr, seen by the old path", deb("a", "", "/usr/sbin/a"), func(r *record.Record) { at(r, "/sbin/a", evidence.Exec) }, judge.Affected, judge.ReasonObserved},
		{"name that is not UTF-8", deb("a", "", "/usr/bin/a\uFFFD"), func(r *record.Record) { at(r, "/usr/bin/a\xff", evidence.Exec) }, judge.UnderInvestigation, judge.ReasonOpaque},
		{"bytes that resemble a name", deb("a", "", "/usr/bin/a"), func(r *record.Record) { at(r, "/usr/bin/a\xff", evidence.Exec) }, judge.NotAffected, judge.ReasonNotObserved},
		{"names that cannot be matched", func() inventory.Package {
			p := deb("a", "", "/usr/bin/a")
			p.Opaque = "a cut name"
			return p
		}(), func(*record.Record) {}, judge.UnderInvestigation, judge.ReasonOpaque},

		{"bytecode", deb("a", "", pkgs+"/a/x.py"), func(r *record.Record) { at(r, pkgs+"/a/__pycache__/x.cpython-311.pyc", evidence.Open) }, judge.Affected, judge.ReasonObserved},
		{"optimised bytecode", deb("a", "", pkgs+"/a/x.py"), func(r *record.Record) { at(r, pkgs+"/a/__pycache__/x.cpython-311.opt-2.pyc", evidence.Open) }, judge.Affected, judge.ReasonObserved},
		{"bytecode of a script with dots", deb("a", "", pkgs+"/a/x.y.py"), func(r *record.Record) { at(r, pkgs+"/a/__pycache__/x.y.cpython-311.pyc", evidence.Open) }, judge.Affected, judge.ReasonObserved},
		{"bytecode about to be renamed", deb("a", "", pkgs+"/a/x.py"), func(r *record.Record) {
			at(r, pkgs+"/a/__pycache__/x.cpython-311.pyc.140213", evidence.Open)
		}, judge.Affected, judge.ReasonObserved},
		{"legacy bytecode", deb("a", "", pkgs+"/a/x.py"), func(r *record.Record) { at(r, pkgs+"/a/x.pyc", evidence.Open) }, judge.Affected, judge.ReasonObserved},
		{"bytecode below a prefix", deb("a", "", pkgs+"/a/x.py"), func(r *record.Record) { at(r, "/var/cache/pyc"+pkgs+"/a/x.cpython-311.pyc", evidence.Open) }, judge.Affected, judge.ReasonObserved},
		{"bytecode of a neighbour", deb("a", "", pkgs+"/a/x.py"), func(r *record.Record) { at(r, pkgs+"/a/__pycache__/y.cpython-311.pyc", evidence.Open) }, judge.NotAffected, judge.ReasonNotObserved},

		{"python, own file", lang("python", "a", pkgs+"/a-1.dist-info/METADATA", pkgs+"/a-1.dist-info/METADATA", pkgs+"/a/x.py"), func(r *record.Record) { at(r, pkgs+"/a/x.py", evidence.Open) }, judge.Affected, judge.ReasonObserved},
		{"python, only its metadata read", lang("python", "a", pkgs+"/a-1.dist-info/METADATA", pkgs+"/a-1.dist-info/METADATA", pkgs+"/a-1.dist-info/entry_points.txt", pkgs+"/a/x.py"), func(r *record.Record) {
			at(r, pkgs+"/a-1.dist-info/METADATA", evidence.Open)
			at(r, pkgs+"/a-1.dist-info/entry_points.txt", evidence.Open)
		}, judge.NotAffected, judge.ReasonNotObserved},
		{"python, a file that RECORD does not name", lang("python", "a", pkgs+"/a-1.dist-info/METADATA", pkgs+"/a/x.py"), func(r *record.Record) { at(r, pkgs+"/a/built.so", evidence.Map) }, judge.Affected, judge.ReasonObserved},
		{"python, a package vendored in it", lang("python", "a", pkgs+"/a-1.dist-info/METADATA", pkgs+"/a/x.py"), func(r *record.Record) { at(r, pkgs+"/a/_vendor/b/y.py", evidence.Open) }, judge.Affected, judge.ReasonObserved},
		{"python, its neighbour", lang("python", "a", pkgs+"/a-1.dist-info/METADATA", pkgs+"/a/x.py", pkgs+"/a.py", "/usr/bin/a"), func(r *record.Record) {
			at(r, pkgs+"/b/y.py", evidence.Open)
			at(r, "/usr/bin/b", evidence.Exec)
		}, judge.NotAffected, judge.ReasonNotObserved},
		{"python, only metadata catalogued", lang("python", "a", pkgs+"/a.egg-info/PKG-INFO", pkgs+"/a.egg-info/PKG-INFO"), func(*record.Record) {}, judge.UnderInvestigation, judge.ReasonNoFiles},

		{"npm, own file", lang("npm", "a", "/app/node_modules/a/package.json", "/app/node_modules/a/package.json", "/app/node_modules/a/i.js"), func(r *record.Record) { at(r, "/app/node_modules/a/i.js", evidence.Open) }, judge.Affected, judge.ReasonObserved},
		{"npm, resolved by its package.json", lang("npm", "a", "/app/node_modules/a/package.json", "/app/node_modules/a/package.json", "/app/node_modules/a/i.js"), func(r *record.Record) {
			at(r, "/app/node_modules/a/package.json", evidence.Open)
		}, judge.Affected, judge.ReasonObserved},
		{"npm, a package nested in it", lang("npm", "a", "/app/node_modules/a/package.json", "/app/node_modules/a/i.js"), func(r *record.Record) {
			at(r, "/app/node_modules/a/node_modules/b/i.js", evidence.Open)
		}, judge.Affected, judge.ReasonObserved},
		{"npm, the package around it", lang("npm", "b", "/app/node_modules/a/node_modules/b/package.json", "/app/node_modules/a/node_modules/b/i.js"), func(r *record.Record) {
			at(r, "/app/node_modules/a/i.js", evidence.Open)
		}, judge.NotAffected, judge.ReasonNotObserved},
		{"npm, only package.json catalogued", lang("npm", "a", "/app/node_modules/a/package.json", "/app/node_modules/a/package.json"), func(*record.Record) {}, judge.UnderInvestigation, judge.ReasonNoFiles},

		{"another language, only its description catalogued", lang("gem", "a", "/opt/meta/a.json", "/opt/meta/a.json"), func(*record.Record) {}, judge.UnderInvestigation, judge.ReasonNoFiles},
		{"go, executed", lang("go-module", "a", "/app/server", "/app/server"), func(r *record.Record) { at(r, "/app/server", evidence.Exec) }, judge.Affected, judge.ReasonObserved},
		{"go, another binary executed", lang("go-module", "a", "/app/tool", "/app/tool"), func(r *record.Record) { at(r, "/app/server", evidence.Exec) }, judge.NotAffected, judge.ReasonNotObserved},
		{"go, without a list of files", lang("go-module", "a", "/app/tool"), func(r *record.Record) { at(r, "/app/tool", evidence.Exec) }, judge.Affected, judge.ReasonObserved},

		{"jar, opened", lang("java-archive", "a", "/app/a.jar", "/app/a.jar"), func(r *record.Record) { at(r, "/app/a.jar", evidence.Open) }, judge.Affected, judge.ReasonObserved},
		{"jar, not opened", lang("java-archive", "a", "/app/a.jar", "/app/a.jar"), func(*record.Record) {}, judge.NotAffected, judge.ReasonNotObserved},
		{"jar in a jar that was opened", nested(), func(r *record.Record) { at(r, "/app/outer.jar", evidence.Open) }, judge.UnderInvestigation, judge.ReasonInArchive},
		{"jar in a jar that was not opened", nested(), func(*record.Record) {}, judge.NotAffected, judge.ReasonNotObserved},

		{"no files", deb("a", ""), func(*record.Record) {}, judge.UnderInvestigation, judge.ReasonNoFiles},
		{"nothing but metadata", deb("a", "", "/usr/share/doc/a/copyright", "/usr/share/man/man1/a.1.gz", "/opt/a/LICENSE.txt"), func(*record.Record) {}, judge.UnderInvestigation, judge.ReasonNoFiles},
		{"metadata read", deb("a", "", "/usr/bin/a", "/usr/share/doc/a/copyright", "/usr/share/man/man1/a.1.gz", "/opt/a/COPYING"), func(r *record.Record) {
			at(r, "/usr/share/doc/a/copyright", evidence.Open)
			at(r, "/usr/share/man/man1/a.1.gz", evidence.Open)
			at(r, "/opt/a/COPYING", evidence.Open)
			at(r, "/var/lib/dpkg/status", evidence.Open)
		}, judge.NotAffected, judge.ReasonNotObserved},
		{"code among the documentation read", deb("a", "", "/usr/bin/a", "/usr/share/doc/a/examples/x.py"), func(r *record.Record) {
			at(r, "/usr/share/doc/a/examples/x.py", evidence.Open)
		}, judge.Affected, judge.ReasonObserved},
		{"documentation with code, nothing else", deb("a", "", "/usr/share/doc/a/examples/x.py"), func(*record.Record) {}, judge.UnderInvestigation, judge.ReasonNoFiles},
		{"code among the documentation executed", deb("a", "", "/usr/bin/a", "/usr/share/doc/a/examples/x"), func(r *record.Record) {
			at(r, "/usr/share/doc/a/examples/x", evidence.Exec)
		}, judge.Affected, judge.ReasonObserved},
		{"package database mapped", deb("a", "", "/usr/bin/a"), func(r *record.Record) { at(r, "/var/lib/dpkg/status", evidence.Map) }, judge.NotAffected, judge.ReasonNotObserved},

		{"no version in the URL", func() inventory.Package {
			p := deb("a", "", "/usr/bin/a")
			p.PURL = "pkg:deb/debian/a"
			return p
		}(), func(*record.Record) {}, judge.UnderInvestigation, judge.ReasonUnidentified},
		{"no URL", func() inventory.Package {
			p := deb("a", "", "/usr/bin/a")
			p.PURL = ""
			return p
		}(), func(*record.Record) {}, judge.UnderInvestigation, judge.ReasonUnidentified},
		{"no URL but used", func() inventory.Package {
			p := deb("a", "", "/usr/bin/a")
			p.PURL = ""
			return p
		}(), func(r *record.Record) { at(r, "/usr/bin/a", evidence.Exec) }, judge.Affected, judge.ReasonObserved},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := judgetest.Good()
			judgetest.AddPackage(&r, row.pkg, cve)
			row.observe(&r)
			j := judge.Judge(r)
			a := only(t, j, row.pkg.ID)
			if a.Status != row.want || a.Reason != row.reason {
				t.Errorf("%s (%s), want %s (%s): %s", a.Status, a.Reason, row.want, row.reason, a.Text)
			}
			if (a.Seen != nil) != (a.Reason == judge.ReasonObserved || a.Reason == judge.ReasonInArchive) {
				t.Errorf("sighting %+v goes with %s", a.Seen, a.Reason)
			}
			if !j.Sufficient {
				t.Errorf("the evidence is insufficient: %+v", j.Checks)
			}
		})
	}
}

func nested() inventory.Package {
	p := lang("java-archive", "inner", "/app/outer.jar")
	p.Archive = "/app/outer.jar"
	return p
}

func TestSourcePackageCoversItsBinaries(t *testing.T) {
	deb := judgetest.Deb
	rows := []struct {
		name     string
		sister   inventory.Package
		observed string
		want     judge.Status
	}{
		{"sister used", deb("b", "src", "/usr/lib/b.so"), "/usr/lib/b.so", judge.Affected},
		{"sister not used", deb("b", "src", "/usr/lib/b.so"), "", judge.NotAffected},
		{"sister of another source used", deb("b", "other", "/usr/lib/b.so"), "/usr/lib/b.so", judge.NotAffected},
		{"sister of nothing but documentation", deb("b", "src", "/usr/share/doc/b/copyright"), "", judge.NotAffected},
		{"sister without a list of files", deb("b", "src"), "", judge.UnderInvestigation},
		{"sister with names that cannot be matched", deb("b", "src", "/usr/lib/\uFFFD.so"), "", judge.UnderInvestigation},
	}
	for _, row := range rows {
		for _, sisterHasFinding := range []bool{true, false} {
			r := judgetest.Good()
			judgetest.AddPackage(&r, deb("a", "src", "/usr/lib/a.so"), cve)
			judgetest.AddPackage(&r, row.sister)
			if sisterHasFinding {
				judgetest.AddFinding(&r, inventory.Finding{ID: cve, PackageID: row.sister.ID})
			}
			if row.observed != "" {
				judgetest.Observe(&r, row.observed, evidence.Map)
			}
			j := judge.Judge(r)
			a := only(t, j, "deb-a")
			if a.Status != row.want {
				t.Errorf("%s (finding on the sister: %v): %s, want %s", row.name, sisterHasFinding, a.Status, row.want)
			}
			if row.want == judge.Affected && (a.Seen == nil || a.Seen.Path != row.observed) {
				t.Errorf("%s: seen %+v, want %s", row.name, a.Seen, row.observed)
			}
			if row.want == judge.Affected && a.Text != "Upgrade to 9.9-1. Seen of its source package: /usr/lib/b.so (map) by app in startup" {
				t.Errorf("%s: text %q", row.name, a.Text)
			}
			for _, id := range j.Observed {
				if id == "deb-a" {
					t.Errorf("%s: a counts as observed itself", row.name)
				}
			}
		}
	}
}

// A language's package within a distribution's is judged by its own files.
func TestLanguagePackageWithinDistributionPackage(t *testing.T) {
	r := judgetest.Good()
	const dir = "/usr/lib/python3/dist-packages/"
	judgetest.AddPackage(&r, judgetest.Deb("python3-flask", "flask", dir+"flask/app.py", dir+"flask.egg-info/PKG-INFO", "/usr/bin/flask"), cve)
	judgetest.AddPackage(&r, lang("python", "flask", dir+"flask.egg-info/PKG-INFO", dir+"flask.egg-info/PKG-INFO"), cve)
	judgetest.AddPackage(&r, lang("python", "jinja2", dir+"jinja2.egg-info/PKG-INFO", dir+"jinja2.egg-info/PKG-INFO", dir+"jinja2/x.py"), cve)
	judgetest.Observe(&r, "/usr/bin/flask", evidence.Exec)
	j := judge.Judge(r)
	for id, want := range map[string]judge.Status{
		"deb-python3-flask": judge.Affected, "python-flask": judge.UnderInvestigation, "python-jinja2": judge.NotAffected,
	} {
		if a := only(t, j, id); a.Status != want {
			t.Errorf("%s: %s (%s), want %s", id, a.Status, a.Reason, want)
		}
	}
}

func TestSightingIsTheFirst(t *testing.T) {
	r := judgetest.Good()
	judgetest.AddPackage(&r, judgetest.Deb("a", "", "/usr/bin/a", "/usr/lib/a.so"), cve)
	late := judgetest.Observe(&r, "/usr/bin/a", evidence.Exec)
	late.At = judgetest.At(50)
	early := judgetest.Observe(&r, "/usr/lib/a.so", evidence.Open, evidence.Map)
	early.At, early.Process, early.Phase = judgetest.At(40), "ng\x1b[31minx", evidence.PhaseExercise
	a := only(t, judge.Judge(r), "deb-a")
	if a.Seen.Path != "/usr/lib/a.so" || a.Seen.Files != 2 || a.Seen.Phase != evidence.PhaseExercise {
		t.Errorf("seen %+v", a.Seen)
	}
	const want = `Upgrade to 9.9-1. Seen: /usr/lib/a.so (map+open) by ng\x1b[31minx in exercise, and 1 more file`
	if a.Text != want {
		t.Errorf("text %q, want %q", a.Text, want)
	}
}

// Of packages that some consumer knows by one name all are cleared or none,
// whether or not the others have a finding here.
func TestKnownByOneName(t *testing.T) {
	named := func(id, purl string) inventory.Package {
		p := judgetest.Deb(id, "", "/"+id)
		p.PURL = purl
		return p
	}
	for name, c := range map[string]struct {
		other  string
		used   bool
		status judge.Status
		reason judge.Reason
	}{
		"another epoch, used":        {"pkg:deb/debian/x@2:1.2", true, judge.UnderInvestigation, judge.ReasonNamesake},
		"no epoch, used":             {"pkg:deb/debian/x@1.2", true, judge.UnderInvestigation, judge.ReasonNamesake},
		"another epoch, not used":    {"pkg:deb/debian/x@2:1.2", false, judge.NotAffected, judge.ReasonNotObserved},
		"another version, used":      {"pkg:deb/debian/x@1:1.3", true, judge.NotAffected, judge.ReasonNotObserved},
		"another distribution, used": {"pkg:deb/ubuntu/x@1:1.2", true, judge.NotAffected, judge.ReasonNotObserved},
	} {
		t.Run(name, func(t *testing.T) {
			r := judgetest.Good()
			judgetest.AddPackage(&r, named("a", "pkg:deb/debian/x@1:1.2"), "CVE-1")
			judgetest.AddPackage(&r, named("b", c.other))
			if c.used {
				judgetest.Observe(&r, "/b", evidence.Map)
			}
			if a := only(t, judge.Judge(r), "deb-a"); a.Status != c.status || a.Reason != c.reason {
				t.Errorf("%s (%s), want %s (%s)", a.Status, a.Reason, c.status, c.reason)
			}
		})
	}
}

// Nor does a person's word, or the database's, clear one of them alone.
func TestKnownByOneNameWhateverIsSaid(t *testing.T) {
	for name, said := range map[string]func(*record.Record){
		"fixed by a person": func(r *record.Record) { say(t, r, stated(triage.Fixed, "x@1:1.2")) },
		"fixed by the database": func(r *record.Record) {
			f := &r.Inventory.Findings[0]
			f.FixState, f.FixVersions = "fixed", []string{r.Inventory.Packages[0].Version}
		},
	} {
		for used, want := range map[bool]judge.Status{true: judge.UnderInvestigation, false: judge.Fixed} {
			r := judgetest.Good()
			r.Inventory.Packages, r.Inventory.Findings = nil, nil
			for _, epoch := range []string{"1", "2"} {
				p := judgetest.Deb("e"+epoch, "", "/e"+epoch)
				p.PURL = "pkg:deb/debian/x@" + epoch + ":1.2"
				judgetest.AddPackage(&r, p)
			}
			judgetest.AddFinding(&r, inventory.Finding{ID: "CVE-1", PackageID: "deb-e1"})
			if used {
				judgetest.Observe(&r, "/e2", evidence.Map)
			}
			said(&r)
			if a := only(t, judge.Judge(r), "deb-e1"); a.Status != want {
				t.Errorf("%s, the other used %v: %s (%s)", name, used, a.Status, a.Reason)
			}
		}
	}
}

// Without an image to name, a vulnerability is cleared in all packages or in none.
func TestNeverPushed(t *testing.T) {
	for name, c := range map[string]struct {
		local, used bool
		status      judge.Status
		reason      judge.Reason
	}{
		"local, another used":     {true, true, judge.UnderInvestigation, judge.ReasonLocal},
		"local, none used":        {true, false, judge.NotAffected, judge.ReasonNotObserved},
		"published, another used": {false, true, judge.NotAffected, judge.ReasonNotObserved},
	} {
		t.Run(name, func(t *testing.T) {
			r := judgetest.Good()
			if c.local {
				r.Subject.Repository, r.Subject.ManifestDigest, r.Subject.IndexDigest = "", "", ""
			}
			judgetest.AddPackage(&r, judgetest.Deb("a", "", "/a"), "CVE-1", "CVE-2")
			judgetest.AddPackage(&r, judgetest.Deb("b", "", "/b"), "CVE-1")
			if c.used {
				judgetest.Observe(&r, "/b", evidence.Map)
			}
			j := judge.Judge(r)
			for _, a := range j.Assessments {
				status, reason := c.status, c.reason
				switch {
				case a.Vulnerability == "CVE-2":
					status, reason = judge.NotAffected, judge.ReasonNotObserved
				case a.PackageName == "b" && c.used:
					status, reason = judge.Affected, judge.ReasonObserved
				}
				if a.Status != status || a.Reason != reason {
					t.Errorf("%s in %s: %s (%s), want %s (%s)", a.Vulnerability, a.PackageName, a.Status, a.Reason, status, reason)
				}
			}
			if len(j.Assessments) != 3 {
				t.Errorf("%d assessments", len(j.Assessments))
			}
		})
	}
}
