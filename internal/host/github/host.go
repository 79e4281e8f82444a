// Package github is the run's host on GitHub Actions: steps as groups of the
// log, masks, outputs, the job summary, annotations and one sticky comment on
// the pull request. Nothing here changes a verdict: what cannot be published is
// told once, with what to do about it.
//
// What reaches the log from elsewhere passes an encoder and stands between
// stop-commands with a token of its own, so that no text becomes a command.
// GITHUB_ENV and GITHUB_PATH are never written.
package github

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"sync"

	actions "github.com/sethvargo/go-githubactions"

	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/steplog"
)

// Host is one step of a GitHub job. It is safe for concurrent use.
type Host struct {
	*steplog.Log
	mu     sync.Mutex
	out    io.Writer
	getenv func(string) string
	action *actions.Action

	annotated map[Level]int
}

// New makes the host of the job whose environment getenv reads. out is the
// step's log. Close ends the display of steps; the rest of the host works on.
func New(out io.Writer, getenv func(string) string) *Host {
	h := &Host{
		out: out, getenv: getenv,
		action:    actions.New(actions.WithWriter(quiet{out}), actions.WithGetenv(getenv)),
		annotated: map[Level]int{},
	}
	h.Log = steplog.New(&h.mu, sink{h})
	return h
}

// Here reports whether the environment is that of a GitHub job.
func Here(getenv func(string) string) bool { return getenv("GITHUB_ACTIONS") == "true" }

// quiet never fails: go-githubactions panics where a log cannot be written.
type quiet struct{ w io.Writer }

func (q quiet) Write(p []byte) (int, error) {
	_, _ = q.w.Write(p)
	return len(p), nil
}

// minMask is the length from which a value is masked, in bytes. A shorter one
// would take common words and numbers out of the log, and GitHub drops outputs
// that hold a masked value.
const minMask = 6

// Mask keeps a secret out of the log, and each of its lines: the runner looks
// at the log by lines.
func (h *Host) Mask(secret string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, line := range steplog.Lines(secret) {
		if len(line) >= minMask {
			h.action.AddMask(line)
		}
	}
}

// Foreign lets write print to the log with the runner deaf to commands.
func (h *Host) Foreign(write func(io.Writer)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.foreign(write)
}

// foreign is Foreign with the lock held. The token is new each time: an old one
// stands in the log, where it can be read.
func (h *Host) foreign(write func(io.Writer)) {
	var b bytes.Buffer
	write(&b)
	if b.Len() == 0 {
		return
	}
	if b.Bytes()[b.Len()-1] != '\n' {
		b.WriteByte('\n')
	}
	token := token()
	fmt.Fprintf(h.out, "::stop-commands::%s\n%s::%s::\n", token, b.Bytes(), token)
}

// token is a name that nobody can guess, for delimiters and stop-commands.
func token() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand
	return "vexxy-" + hex.EncodeToString(b[:])
}

// text encodes foreign text as one line of the log.
func text(s string, max int) string { return foreign.Text(s).Line(max) }
