package steplog

import (
	"testing"
	"time"
)

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.0s", 440 * time.Millisecond: "0.4s", 12 * time.Second: "12s", 59700 * time.Millisecond: "1m00s", 185 * time.Second: "3m05s",
	} {
		if got := Short(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

func TestObservation(t *testing.T) {
	var o Observation
	if o.Open() || o.Due(time.Now().Add(time.Hour), time.Second) {
		t.Error("there is none, and it is open")
	}
	o.Begin(time.Minute)
	began := o.began
	for after, due := range map[time.Duration]bool{29 * time.Second: false, 30 * time.Second: true} {
		o.beat = began
		if o.Due(began.Add(after), 30*time.Second) != due {
			t.Errorf("after %s it is not %v", after, due)
		}
	}
	o.Saw(7, 0)
	if got := o.Text(began.Add(12 * time.Second)); got != "12s, at most 48s left, 7 files seen" {
		t.Error(got)
	}
	o.Saw(9, 2)
	if got := o.Text(began.Add(90 * time.Second)); got != "1m30s, at most 0.0s left, 9 files and 2 packages seen" {
		t.Error(got)
	}
	if o.Begin(0); o.Open() {
		t.Error("it has ended, and is open")
	}
}
