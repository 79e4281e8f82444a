package embedded

import (
	"testing"

	"github.com/moby/moby/api/types/container"

	"github.com/vexxy/action/internal/evidence"
)

// Only the sign that said ready can take it back, and a lost one does.
func TestFellIll(t *testing.T) {
	with := func(status container.HealthStatus) *container.State {
		return &container.State{Health: &container.Health{Status: status}}
	}
	for _, c := range []struct {
		name  string
		by    evidence.Ready
		state *container.State
		want  bool
	}{
		{"still healthy", evidence.ReadyHealthcheck, with(container.Healthy), false},
		{"unhealthy since", evidence.ReadyHealthcheck, with(container.Unhealthy), true},
		{"no state any more", evidence.ReadyHealthcheck, &container.State{}, true},
		{"ready by the user's own sign", evidence.ReadyInput, with(container.Unhealthy), false},
		{"no health check", evidence.ReadyPorts, &container.State{}, false},
	} {
		if got := fellIll(c.by, c.state); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
