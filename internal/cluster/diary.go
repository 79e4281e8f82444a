package cluster

import (
	"fmt"
	"strings"
	"sync"
	"unicode"

	kindlog "sigs.k8s.io/kind/pkg/log"
)

// The steps that kind announces: all it tells of its progress. They are part
// of no interface; a kind that words them otherwise makes Start return later
// and nothing worse.
const (
	stepNodes        = "Preparing nodes"
	stepControlPlane = "Starting control-plane"
)

// diary takes kind's log, which goes nowhere but into errors.
type diary struct {
	mu      sync.Mutex
	last    string
	warning []string
	waits   map[string]chan struct{}
}

// maxWarnings bounds the warnings that are kept.
const maxWarnings = 5

func newDiary() *diary {
	return &diary{waits: map[string]chan struct{}{stepNodes: make(chan struct{}), stepControlPlane: make(chan struct{})}}
}

// reached gives a channel that is closed when kind begins the step.
func (l *diary) reached(step string) <-chan struct{} { return l.waits[step] }

// step is what kind began last.
func (l *diary) step() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// warnings are what kind warned of, without its remarks on the network that it
// was told to use.
func (l *diary) warnings() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.warning
}

func (l *diary) Info(text string) {
	step, begins := strings.CutPrefix(text, " • ")
	if !begins {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = strings.TrimRightFunc(step, func(r rune) bool { return r > unicode.MaxASCII || strings.ContainsRune(" .\n", r) })
	for name, wait := range l.waits {
		if strings.HasPrefix(step, name) {
			select {
			case <-wait:
			default:
				close(wait)
			}
		}
	}
}

func (l *diary) Warn(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !strings.HasPrefix(text, "WARNING: ") && len(l.warning) < maxWarnings {
		l.warning = append(l.warning, text)
	}
}

func (l *diary) Infof(format string, args ...any)  { l.Info(fmt.Sprintf(format, args...)) }
func (l *diary) Warnf(format string, args ...any)  { l.Warn(fmt.Sprintf(format, args...)) }
func (l *diary) Error(text string)                 { l.Warn(text) }
func (l *diary) Errorf(format string, args ...any) { l.Warn(fmt.Sprintf(format, args...)) }
func (l *diary) Enabled() bool                     { return true }

// V gives the log itself for what is meant for users, and none for the rest.
func (l *diary) V(level kindlog.Level) kindlog.InfoLogger {
	if level > 0 {
		return kindlog.NoopInfoLogger{}
	}
	return l
}
