//go:build linux && amd64

package sensor

import (
	"testing"

	"github.com/vexxy/action/internal/evidence"
)

// A 32-bit program uses other system call numbers, and its auxiliary vector
// has another shape.
func TestCompat(t *testing.T) {
	for _, way := range []string{"open", "openat", "openat2", "creat", "map"} {
		t.Run(way, func(t *testing.T) {
			s := observe(t, "--", "/bin/i386", way, "/data/b").ended()
			s.has("/data/b", evidence.Open)
			s.has("/bin/i386", evidence.Exec)
			s.has("/lib/ld-linux.so.2", evidence.Interp)
			s.has("/lib32/libc.so.6", evidence.Map, evidence.Open)
			s.lacks("/data/never")
		})
	}
}
