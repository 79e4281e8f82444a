//go:build linux

package sensor

import (
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/evidence"
)

var libz = "/lib/" + runtimeTriple + "/libz.so.1"

// Every way to open a file by a system call is seen, and only what was opened.
func TestOpens(t *testing.T) {
	ways := []string{"openat", "openat2", "thread"}
	if runtime.GOARCH == "amd64" {
		ways = append(ways, "open", "creat")
	}
	for _, way := range ways {
		t.Run(way, func(t *testing.T) {
			s := observe(t, "--", "/bin/static", way, "/data/b").ended()
			s.has("/data/b", evidence.Open)
			s.has("/bin/static", evidence.Exec)
			s.lacks("/data/never")
			s.lacks("/data/a")
		})
	}
}

// A static program alone: the runtime's own libraries, which are mapped in the
// container's control group before the first exec, are never the workload's.
func TestStaticUsesNothingElse(t *testing.T) {
	s := observe(t, "--", "/bin/static", "true").ended()
	if len(s.obs) != 1 || string(s.obs[0].Path) != "/bin/static" {
		t.Errorf("a static program that opens nothing used %s", s.paths())
	}
	if o := s.has("/bin/static", evidence.Exec); o.Foreign || o.Phase != evidence.PhaseStartup || o.PID == 0 || o.Process != "static" {
		t.Errorf("%+v", o)
	}
}

// A file that is only named is not used.
func TestNamedOnly(t *testing.T) {
	observe(t, "--", "/bin/static", "name", "/data/b").ended().lacks("/data/b")
}

func TestOpenByHandle(t *testing.T) {
	dir := t.TempDir()
	if err := copyFile("testdata/probe.c", filepath.Join(dir, "file")); err != nil {
		t.Fatal(err)
	}
	s := observe(t, "--cap-add", "DAC_READ_SEARCH", "--security-opt", "seccomp=unconfined", "-v", dir+":/vol:ro",
		"--", "/bin/static", "handle", "/vol/file").ended()
	if o := s.has("/vol/file", evidence.Open); !o.Foreign {
		t.Errorf("a volume's file is held to be the image's: %+v", o)
	}
}

func TestMappings(t *testing.T) {
	s := observe(t, "--", "/bin/static", "map", libz).ended()
	s.has(libz, evidence.Map, evidence.Open)
	s = observe(t, "--", "/bin/static", "protect", libz).ended()
	s.has(libz, evidence.Map)
	s = observe(t, "--", "/bin/static", "passed", libz).ended()
	s.has(libz, evidence.Map)
}

// Threads that contend for their mappings, as just-in-time compilers do, make
// neither losses nor blind spots.
func TestJustInTime(t *testing.T) {
	s := observe(t, "--", "/bin/static", "jit", libz, "5000").ended()
	s.has(libz, evidence.Map, evidence.Open)
	if len(s.health.Blind) > 0 {
		t.Errorf("%+v", s.health.Blind)
	}
}

// Libraries that are loaded and unloaded at once.
func TestDlopenBurst(t *testing.T) {
	s := observe(t, "--", "/bin/dynamic", "dl", libz, "200").ended()
	s.has(libz, evidence.Map, evidence.Open)
	s.lacks("/lib/" + runtimeTriple + "/libpcre2-8.so.0")
}

// No system call of a musl program names its libc: it is the interpreter.
func TestMuslLoader(t *testing.T) {
	s := observe(t, "--", "/bin/many", "/bin/musl", "2000").ended()
	s.has(muslLoader, evidence.Interp, evidence.Map)
	s.has("/bin/musl", evidence.Exec)
	s.has("/bin/many", evidence.Exec)
	s.has("/bin/sh", evidence.Interp)
}

// Ten thousand lives of about a millisecond.
func TestShortLives(t *testing.T) {
	s := observe(t, "--", "/bin/static", "spawn", "/bin/musl", "10000").ended()
	s.has(muslLoader, evidence.Interp)
	s.has("/bin/musl", evidence.Exec)
}

func TestScripts(t *testing.T) {
	s := observe(t, "--", "/bin/script").ended()
	s.has("/bin/script", evidence.Exec)
	s.has("/bin/sh", evidence.Interp)
	// A script that interprets a script; the program at the end opens neither.
	s = observe(t, "--", "/bin/script2").ended()
	s.has("/bin/script2", evidence.Exec)
	s.has("/bin/script3", evidence.Interp)
	s.has("/bin/true", evidence.Interp)
	// By a relative path.
	s = observe(t, "-w", "/bin", "--", "./script2").ended()
	s.has("/bin/script2", evidence.Exec)
}

func TestPathBytes(t *testing.T) {
	s := observe(t, "--", "/bin/sh", "-c", `exec /bin/static openat "$(printf '/data/new\nline\377')"`).ended()
	s.has("/data/new\nline\xff", evidence.Open)
}

// Paths of 4 KiB come whole; longer ones are found by their inode or counted.
func TestLongPaths(t *testing.T) {
	s := observe(t, "--", "/bin/static", "deep", "/deep")
	s.has("/deep/"+strings.Repeat(strings.Repeat("d", 250)+"/", 15)+"leaf", evidence.Open)
	known := len(s.find("/deep/"+strings.Repeat(strings.Repeat("d", 250)+"/", 20)+"toodeep")) == 1
	if known != (s.health.Lost.Path == 0) || s.health.Lost.Total() != s.health.Lost.Path {
		t.Errorf("a path of 5,000 bytes: known %v, lost %+v", known, s.health.Lost)
	}
}

// All names of a file in use are in use.
func TestHardLinks(t *testing.T) {
	s := observe(t, "--", "/bin/static", "openat", "/data/linked").ended()
	s.has("/data/linked", evidence.Open)
	s.has("/data/a", evidence.Open)
	s.lacks("/data/b")
}
