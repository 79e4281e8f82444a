package embedded

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/catalog"
	"github.com/vexxy/action/internal/source"
	"github.com/vexxy/action/internal/window"
)

// quietly is a Progress that shows nothing.
type quietly struct{}

func (quietly) Step(string) func(error) { return func(error) {} }
func (quietly) Window(time.Duration)    {}
func (quietly) Seen(int, int)           {}
func (quietly) Note(string)             {}

// A panic while an image is read is an error of the run, not its end.
func TestPanicWhileReading(t *testing.T) {
	e := New(Options{TempDir: t.TempDir()}, quietly{}, nil, func(context.Context) (*catalog.Matcher, error) { return nil, nil })
	_, _, err := e.takeInventory(t.Context(), source.Image{}, window.NewTracker()) // no image: a nil interface
	if err == nil || !strings.Contains(err.Error(), "panic: ") {
		t.Errorf("error %v", err)
	}
}
