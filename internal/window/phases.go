package window

import (
	"time"

	"github.com/vexxy/action/internal/evidence"
)

// phases is the window's division into phases, in their order.
type phases struct{ all []evidence.Phase }

// enter ends the present phase and begins the next.
func (p *phases) enter(name string, at time.Time) {
	p.end(at)
	p.all = append(p.all, evidence.Phase{Name: name, Start: at.UTC()})
}

// restart moves the begin of the first phase: the first exec is known only
// after it happened.
func (p *phases) restart(at time.Time) { p.all[0].Start = at.UTC() }

// end ends the present phase.
func (p *phases) end(at time.Time) {
	if n := len(p.all); n > 0 && p.all[n-1].End.IsZero() {
		p.all[n-1].End = at.UTC()
	}
}
