package objects

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubescape/storage/pkg/apis/softwarecomposition/v1beta1"

	"github.com/vexxy/action/internal/evidence"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func profile(execs, opens []string) *v1beta1.ContainerProfile {
	p := &v1beta1.ContainerProfile{}
	for _, e := range execs {
		p.Spec.Execs = append(p.Spec.Execs, v1beta1.ExecCalls{Path: e})
	}
	for _, o := range opens {
		p.Spec.Opens = append(p.Spec.Opens, v1beta1.OpenCalls{Path: o})
	}
	return p
}

// paths lists observations as path:kinds@witnesses.
func paths(list []evidence.Observation) (out []string) {
	for _, o := range list {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s:%s@%s", o.Path, join(o.Kinds), join(o.Witnesses))))
	}
	return out
}

func join[T ~string](list []T) string {
	var out []string
	for _, s := range list {
		out = append(out, string(s))
	}
	return strings.Join(out, "+")
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func TestObservationsOfRealProfile(t *testing.T) {
	got, patterns := Observations(realProfile(t), noon)
	same(t, "files", paths(got), []string{
		"/etc/ld.so.cache:open@node-agent", "/usr/bin/dash:exec@node-agent", "/usr/bin/openssl:exec@node-agent", "/usr/lib/ssl/openssl.cnf:open@node-agent",
		"/usr/lib/x86_64-linux-gnu/libc.so.6:open@node-agent", "/usr/lib/x86_64-linux-gnu/libcrypto.so.3:open@node-agent",
		"/usr/lib/x86_64-linux-gnu/libssl.so.3:open@node-agent",
	})
	if len(patterns) != 0 || !got[0].At.Equal(noon) || got[0].Phase != evidence.PhaseIdle {
		t.Errorf("patterns %q, %+v", patterns, got[0])
	}
}

func TestObservationsOfOddPaths(t *testing.T) {
	p := profile([]string{"/bin/app", "app", "", "/bin/app"}, []string{
		"/bin/app", "/bin//app/", "/app/⋯/x", "/app/*", "/a⋯b/c", "/opt/a*b", "relative/x", "pipe:[123]", "socket:[5]", "anon_inode:[eventpoll]",
		"/proc/⋯/maps", "/proc/self/exe", "/sys/kernel", "/dev/null", "/dev/pts/0", "/dev/shm/segment", "/memfd:jit (deleted)",
		"/tmp/lib.so (deleted)", "/../etc/passwd", "/", "/a\x00b", "/" + strings.Repeat("x", 5000), "/bad\xff",
	})
	got, patterns := Observations(p, noon)
	same(t, "files", paths(got), []string{
		"/bad\xff:open@node-agent", "/bin/app:exec+open@node-agent", "/dev/shm/segment:open@node-agent", "/etc/passwd:open@node-agent",
		"/opt/a*b:open@node-agent", "/tmp/lib.so:open@node-agent",
	})
	same(t, "patterns", patterns, []string{"/app/*", "/app/⋯/x", "/a⋯b/c"})
}

func TestPatternsAreBounded(t *testing.T) {
	var opens []string
	for i := range 3000 {
		opens = append(opens, fmt.Sprintf("/srv/%d/data/%d/⋯/x", i%20, i))
	}
	opens = append(opens, "/opt/⋯/y")
	_, patterns := Observations(profile(nil, opens), noon)
	if len(patterns) > 1000 || len(patterns) < 2 {
		t.Fatalf("%d patterns", len(patterns))
	}
	tree := treeOf(patterns)
	for _, o := range opens {
		hit := false
		tree.match(strings.ReplaceAll(o, "⋯", "name"), func(int) { hit = true })
		if !hit {
			t.Fatalf("%s has no pattern any more in %q", o, patterns)
		}
	}
	var roots []string
	for i := range 5000 {
		roots = append(roots, fmt.Sprintf("/%d/⋯", i))
	}
	if _, patterns := Observations(profile(nil, roots), noon); !slices.Equal(patterns, []string{"/*"}) {
		t.Errorf("%d patterns", len(patterns))
	}
}

// Each row is a pattern and what storage v0.0.290 itself lets it stand for
// (dynamicpathdetector.CompareDynamic): all of that it must be here too.
func TestPatternsStandForWhatStorageMeans(t *testing.T) {
	names := []string{"/", "/a", "/a/b", "/a/b/c", "/a/x/c", "/a/b/x/c", "/b", "/a/b/c/d/e", "/a⋯/b"}
	for _, row := range []struct {
		pattern string
		names   []string
	}{
		{"/a/⋯", []string{"/a/b"}},
		{"/a/*", []string{"/a/b", "/a/b/c", "/a/x/c", "/a/b/x/c", "/a/b/c/d/e"}},
		{"/*", []string{"/a", "/a/b", "/a/b/c", "/a/x/c", "/a/b/x/c", "/b", "/a/b/c/d/e", "/a⋯/b"}},
		{"/a/*/c", []string{"/a/b/c", "/a/x/c", "/a/b/x/c"}},
		{"/⋯/b", []string{"/a/b", "/a⋯/b"}},
		{"/a/⋯/c", []string{"/a/b/c", "/a/x/c"}},
		{"/*/c", []string{"/a/b/c", "/a/x/c", "/a/b/x/c"}},
		{"/*/b/*", []string{"/a/b/c", "/a/b/x/c", "/a/b/c/d/e"}},
		{"/a/*/*/e", []string{"/a/b/c/d/e"}},
		{"/⋯/⋯", []string{"/a/b", "/a⋯/b"}},
		{"/a/b/c/*", []string{"/a/b/c/d/e"}},
		{"/a/b", []string{"/a/b"}},
	} {
		tree := treeOf([]string{row.pattern})
		for _, name := range names {
			hit := false
			tree.match(name, func(int) { hit = true })
			theirs := slices.Contains(row.names, name)
			// A * at the end stands here for nothing at all too: a folder, which
			// nobody observes.
			if theirs && !hit || hit && !theirs && !strings.HasSuffix(row.pattern, "/*") {
				t.Errorf("%s and %s: here %t, in storage %t", row.pattern, name, hit, theirs)
			}
			if ours := (evidence.Profile{Patterns: []string{row.pattern}}).Covers(name); ours && !hit || theirs && !ours {
				t.Errorf("%s and %s: here %t, in evidence %t", row.pattern, name, hit, ours)
			}
		}
	}
}

// The patterns are what storage v0.0.290 makes of all the files.
func TestWhatStorageFoldsIsFoundAgain(t *testing.T) {
	var files []string
	for i := range 60 {
		for j := range 60 {
			files = append(files, fmt.Sprintf("/data/%d/%d/file", i, j))
		}
		files = append(files, fmt.Sprintf("/var/cache/%d", i), fmt.Sprintf("/opt/%d/conf", i))
	}
	slices.Sort(files)
	seen, patterns := Observations(profile(nil, []string{"/data/*/file", "/opt/⋯/conf", "/var/cache/⋯"}), noon)
	if len(seen) != 0 || len(patterns) != 3 {
		t.Fatalf("files %q, patterns %q", paths(seen), patterns)
	}
	var got []string
	for _, o := range Expand(patterns, nil, append([]string{"/data/1/2", "/opt/1/other", "/var/cache/1/2"}, files...), noon) {
		got = append(got, string(o.Path))
	}
	same(t, "what storage folded", got, files)
}

func TestExpand(t *testing.T) {
	files := []string{"/app/a/x", "/app/b/x", "/app/b/y", "/srv/1", "/srv/1/2", "/other", "relative", "/app/b/x"}
	sensor := []evidence.Observation{{Path: []byte("/copy"), ImagePath: []byte("/srv/1")}, {Path: []byte("/else")}, {Path: []byte("/app/a/x")}}
	for i := range collapsed - 1 { // with /srv/1 just as many as a profile lists before it folds them
		sensor = append(sensor, evidence.Observation{Path: fmt.Appendf(nil, "/srv/dir/%d", i), ImagePath: fmt.Appendf(nil, "/srv/other/%d", i)})
	}
	for _, row := range []struct {
		patterns, open, want []string
	}{
		{[]string{"/app/⋯/x", "/srv/*"}, []string{"/app/⋯/x"}, []string{"/app/a/x:open@node-agent", "/app/b/x:open@node-agent"}},
		{[]string{"/srv/*"}, nil, nil},
		{[]string{"/app/*", "/app/⋯/y"}, []string{"/app/*", "/app/⋯/y"}, []string{"/app/a/x:open@node-agent", "/app/b/x:open@node-agent", "/app/b/y:open@node-agent"}},
		{[]string{"/nowhere/⋯"}, []string{"/nowhere/⋯"}, nil},
		{nil, nil, nil},
	} {
		same(t, "unexplained", Unexplained(row.patterns, sensor), row.open)
		same(t, "files", paths(Expand(row.patterns, sensor, files, noon)), row.want)
	}
}

func TestMerge(t *testing.T) {
	sensor := []evidence.Observation{
		{Path: []byte("/z"), Kinds: []evidence.Kind{evidence.Open}, Process: "z", Inode: 2},
		{Path: []byte("/alias"), ImagePath: []byte("/usr/lib/a"), Kinds: []evidence.Kind{evidence.Map}, Inode: 3},
		{Path: []byte("/bad\xff\xfe"), Kinds: []evidence.Kind{evidence.Open}},
		{Path: []byte("/z"), Kinds: []evidence.Kind{evidence.Open}, Process: "other", Inode: 1},
		{Path: []byte("/s"), Kinds: []evidence.Kind{evidence.Exec}},
	}
	agent := []evidence.Observation{
		agentSaw("/z", noon, evidence.Exec), agentSaw("/usr/lib/a", noon, evidence.Open), agentSaw("/bad\uFFFD", noon, evidence.Open),
		agentSaw("/b", noon, evidence.Open), agentSaw("/b", noon, evidence.Exec),
	}
	before := fmt.Sprint(sensor, agent)
	got := Merge(sensor, agent)
	want := []string{
		"/alias:map+open@node-agent+sensor", "/b:exec+open@node-agent", "/bad\xff\xfe:open@node-agent+sensor", "/s:exec@sensor",
		"/z:exec+open@node-agent+sensor", "/z:exec+open@node-agent+sensor",
	}
	same(t, "union", paths(got), want)
	if got[4].Process != "other" || got[5].Process != "z" {
		t.Errorf("the sensor's own are %+v", got[4:])
	}
	if fmt.Sprint(sensor, agent) != before {
		t.Error("the lists have changed")
	}
	slices.Reverse(sensor)
	slices.Reverse(agent)
	if again := Merge(sensor, agent); !reflect.DeepEqual(again, got) {
		t.Errorf("in another order: %q", paths(again))
	}
	same(t, "the sensor alone", paths(Merge(sensor[:1], nil)), []string{"/s:exec@sensor"})
	if len(Merge(nil, nil)) != 0 {
		t.Error("nothing is something")
	}
}

func BenchmarkExpand(b *testing.B) {
	var patterns, files []string
	for i := range 1000 {
		patterns = append(patterns, fmt.Sprintf("/*/%d/⋯/x", i))
	}
	for i := range 200_000 {
		files = append(files, path.Join("/usr/lib/python3/dist-packages", fmt.Sprint(i%1000), fmt.Sprint(i), "x"))
	}
	for b.Loop() {
		if n := len(Expand(patterns, nil, files, noon)); n != len(files) {
			b.Fatal(n)
		}
	}
}
