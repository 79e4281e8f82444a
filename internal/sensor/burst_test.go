//go:build linux

package sensor

import (
	"testing"

	"github.com/vexxy/action/internal/evidence"
)

// Fifty thousand different files in about a second, and one library among
// them: nothing is lost, and the library is seen.
func TestBurst(t *testing.T) {
	s := observe(t, "--", "/bin/static", "burst", "/burst", "50000", libz).ended()
	s.has(libz, evidence.Map, evidence.Open)
	if len(s.obs) < 50_002 {
		t.Errorf("%d files observed of 50,002", len(s.obs))
	}
	t.Logf("50,000 files in %s s", s.output)
}

// More different files than the kernel's table can hold: counted, not silent.
func TestTableFull(t *testing.T) {
	ctx := deadline(t)
	id := create(t, "--", "/bin/static", "burst", "/burst", "2000", libz)
	s := start(t, ctx, "files=1024")
	docker(t, "start", id)
	if _, err := s.Claim(ctx, id, ClaimOptions{}); err != nil {
		t.Fatal(err)
	}
	docker(t, "wait", id)
	obs, health, err := s.Stop(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if health.Lost.Map == 0 || uint64(len(obs))+health.Lost.Map < 2000 {
		t.Errorf("%d observed, lost %+v", len(obs), health.Lost)
	}
}
