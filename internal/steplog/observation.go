package steplog

import (
	"fmt"
	"time"
)

// Observation is what a display knows of a run's observation. It guards nothing:
// whoever shows it has the lock.
type Observation struct {
	began, beat     time.Time
	total           time.Duration
	files, packages int
}

// Begin says that the observation begins now and lasts at most total. A total of
// 0 ends it.
func (o *Observation) Begin(total time.Duration) {
	o.began, o.total = time.Now(), total
	o.beat = o.began
}

// Saw says how many different files the workload has used so far, and how many
// packages own them.
func (o *Observation) Saw(files, packages int) { o.files, o.packages = files, packages }

// Open reports whether an observation is under way.
func (o *Observation) Open() bool { return o.total > 0 }

// Due reports whether it is time to say how an open observation goes, as every
// so often.
func (o *Observation) Due(now time.Time, every time.Duration) bool {
	if !o.Open() || now.Sub(o.beat) < every {
		return false
	}
	o.beat = now
	return true
}

// Text is the observation's time and what was seen in it.
func (o *Observation) Text(now time.Time) string {
	gone := now.Sub(o.began)
	seen := fmt.Sprintf("%d files", o.files)
	if o.packages > 0 { // none while the packages are still being read
		seen += fmt.Sprintf(" and %d packages", o.packages)
	}
	return fmt.Sprintf("%s, at most %s left, %s seen", Short(gone), Short(max(0, o.total-gone)), seen)
}

// Short gives a duration as people say it: 0.4s, 12s, 3m05s.
func Short(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	d = d.Round(time.Second)
	if d < time.Minute {
		return fmt.Sprintf("%.0fs", d.Seconds())
	}
	return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
}
