package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
)

// line is what an eye says of one file.
func line(t *testing.T, path string, kinds ...string) seen {
	t.Helper()
	text, err := json.Marshal(map[string]any{"file": map[string]any{"path": []byte(path), "kinds": kinds}})
	if err != nil {
		t.Fatal(err)
	}
	var s seen
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func watching(c config) *life {
	return &life{agent: &agent{config: c}, pod: &core.Pod{}, execs: map[string]bool{}, opens: map[string]bool{}}
}

// What node-agent does not see, the stand-in does not tell of.
func TestSawLeavesOutWhatTheRealOneMisses(t *testing.T) {
	lines := []seen{
		line(t, "/usr/bin/app", "exec", "map"), line(t, "/lib64/ld-linux-x86-64.so.2", "interp", "map"),
		line(t, "/usr/lib/libz.so.1", "map", "open"), line(t, "/usr/lib/libmapped.so", "map"), line(t, "/etc/\xff", "open"),
	}
	for _, test := range []struct {
		name         string
		kinds        []string
		faults       faults
		execs, opens string
		partial      bool
	}{
		{"as it is", []string{"exec", "open"}, faults{}, "/usr/bin/app", "/etc/\uFFFD /usr/lib/libz.so.1", false},
		{"everything", []string{"exec", "interp", "map", "open"}, faults{}, "/usr/bin/app",
			"/etc/\uFFFD /lib64/ld-linux-x86-64.so.2 /usr/bin/app /usr/lib/libmapped.so /usr/lib/libz.so.1", false},
		{"silent drops", []string{"exec", "open"}, faults{drop: []string{"libz*", "app"}}, "", "/etc/\uFFFD", false},
		{"noticed drops", []string{"exec", "open"}, faults{drop: []string{"libz*"}, dropTold: true}, "/usr/bin/app", "/etc/\uFFFD", true},
		{"drops of what never came", []string{"exec", "open"}, faults{drop: []string{"absent"}, dropTold: true},
			"/usr/bin/app", "/etc/\uFFFD /usr/lib/libz.so.1", false},
	} {
		l := watching(config{kinds: test.kinds, faults: test.faults})
		for _, s := range lines {
			l.saw(s)
		}
		execs, opens := strings.Join(slices.Sorted(maps.Keys(l.execs)), " "), strings.Join(slices.Sorted(maps.Keys(l.opens)), " ")
		if execs != test.execs || opens != test.opens || l.partial != test.partial {
			t.Errorf("%s: executed %q, opened %q, partial %t; want %q, %q, %t", test.name, execs, opens, l.partial, test.execs, test.opens, test.partial)
		}
	}
}

func TestSawNoticesLosses(t *testing.T) {
	l := watching(config{})
	var s seen
	if err := json.Unmarshal([]byte(`{"end":{"lost":3}}`), &s); err != nil {
		t.Fatal(err)
	}
	if l.saw(s); !l.partial {
		t.Error("a profile with lost events is complete")
	}
}

func TestReadBed(t *testing.T) {
	env := func(values map[string]string) func(string) string {
		return func(key string) string { return values[key] }
	}
	var c config
	good := map[string]string{"BED_EYES": "8", "BED_KINDS": "exec,open,map", "BED_DROP": "libssl*,libz*", "BED_DROP_TOLD": "true", "BED_STATUS": "failed"}
	if err := c.readBed(env(good)); err != nil {
		t.Fatal(err)
	}
	if c.eyes != 8 || len(c.kinds) != 3 || len(c.faults.drop) != 2 || !c.faults.dropTold || c.faults.status != "failed" {
		t.Errorf("read %+v", c)
	}
	for key, value := range map[string]string{"BED_EYES": "0", "BED_KINDS": "exec,openat"} {
		var c config
		if err := c.readBed(env(map[string]string{key: value})); err == nil {
			t.Errorf("%s=%s is taken", key, value)
		}
	}
}

func TestNames(t *testing.T) {
	const digest = "sha256:58c74a870a9726bde312175ecbeaee5721ee371107b41f7048da05515b3916aa"
	for _, test := range []struct{ got, want string }{
		{normalImage("nginx:1"), "docker.io/library/nginx:1"},
		{normalImage("vexxy.test/nginx:fixture"), "vexxy.test/nginx:fixture"},
		{normalID("nginx:1", "docker.io/library/nginx@"+digest), "docker.io/library/nginx@" + digest},
		{normalID("nginx:1", digest), "docker.io/library/nginx@" + digest},
		{labelValue("docker.io/testbed/workload@" + digest), "docker-io-testbed-workload-sha256-58c74a870a9726bde312175ecbeae"},
	} {
		if test.got != test.want {
			t.Errorf("got %s, want %s", test.got, test.want)
		}
	}
}
