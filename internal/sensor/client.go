package sensor

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/fault"
)

const (
	// attachFor bounds the time until the helper is attached.
	attachFor = 30 * time.Second
	// endFor bounds the time in which the helper ends by itself.
	endFor = 5 * time.Second
	// mostErrorText bounds what is kept of the helper's standard error.
	mostErrorText = 4 << 10
)

// helper is the privileged process at the other end.
type helper struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	stderr tail
	// done is closed when its output has ended and it has been reaped; err is
	// set before that.
	done chan struct{}
	err  error
	// stopping is closed when its end is wanted.
	stopping chan struct{}
}

// Start runs command, which must end in Serve, as root (by sudo -n where this
// process is not root), and returns when the sensor is attached. Without the
// permission the error is a fault that matches ErrPermission; on a kernel that
// cannot run it, one that matches ErrUnsupported.
func Start(ctx context.Context, command []string) (*Session, error) {
	if runtime.GOOS != "linux" {
		return nil, fault.New(fault.Infra, "run on Linux, where the containers' kernel is this machine's", "starting the sensor: %w", ErrUnsupported)
	}
	if os.Geteuid() != 0 {
		command = append([]string{"sudo", "-n", "--"}, command...)
	}
	h := &helper{cmd: exec.Command(command[0], command[1:]...), done: make(chan struct{}), stopping: make(chan struct{})}
	h.cmd.Env = environment(os.LookupEnv)
	h.cmd.Stderr = &h.stderr
	h.cmd.WaitDelay = endFor
	ownGroup(h.cmd)
	var err error
	if h.in, err = h.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("starting the sensor: %w", err)
	}
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the sensor: %w", err)
	}
	if err := h.cmd.Start(); err != nil {
		return nil, fault.New(fault.Infra, permissionHint, "starting the sensor: %w: %w", ErrPermission, err)
	}
	s := &Session{
		helper: h, files: map[string]*evidence.Observation{},
		answers: map[int]chan message{0: make(chan message, 1)}, next: 1,
		changed: make(chan struct{}, 1),
	}
	go s.read(out)
	if err := s.attached(ctx); err != nil {
		h.end()
		return nil, err
	}
	return s, nil
}

// environment is what the helper is given of ours: it reads none of it, sudo and
// a program that is given instead may. Tokens and passwords are not for it.
func environment(lookup func(string) (string, bool)) []string {
	given := []string{} // nil would be all
	for _, name := range []string{"PATH", "HOME", "LANG", "TMPDIR"} {
		if value, set := lookup(name); set {
			given = append(given, name+"="+value)
		}
	}
	return given
}

const permissionHint = "run as root, or allow sudo without a password; `vexxy doctor` says what is missing"

// attached waits for the helper's first message.
func (s *Session) attached(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, attachFor, fmt.Errorf("not attached after %s", attachFor))
	defer cancel()
	m, err := s.await(ctx, 0)
	switch {
	case err != nil && s.Err() != nil && os.Geteuid() != 0 && s.helper.stderr.has("sudo:"):
		return fault.New(fault.Infra, permissionHint, "starting the sensor: %w: %w", ErrPermission, err)
	case err != nil:
		return fault.New(fault.Infra, "", "starting the sensor: %w", err)
	case m.Type == msgFailed && m.Cause == causePermission:
		return fault.New(fault.Infra, permissionHint, "starting the sensor: %w: %s", ErrPermission, m.Error)
	case m.Type == msgFailed && m.Cause == causeUnsupported:
		return fault.New(fault.Infra, "`vexxy doctor` says what this kernel lacks", "starting the sensor: %w: %s", ErrUnsupported, m.Error)
	case m.Type == msgFailed || m.Health == nil:
		return fault.New(fault.Infra, "", "starting the sensor: %s", m.Error)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.health = *m.Health
	return nil
}

// ask sends a command and waits for its answer.
func (s *Session) ask(ctx context.Context, c command) (message, error) {
	s.mu.Lock()
	c.ID = s.next
	s.next++
	s.answers[c.ID] = make(chan message, 1)
	line, err := json.Marshal(c)
	if err == nil && len(line) < maxLine {
		_, err = s.helper.in.Write(append(line, '\n'))
	}
	s.mu.Unlock()
	if err != nil {
		select { // its own reason says more than a broken pipe
		case <-s.helper.done:
			return message{}, s.helper.gone()
		case <-time.After(endFor):
			return message{}, fmt.Errorf("writing to the helper: %w", err)
		}
	}
	return s.await(ctx, c.ID)
}

// await waits for the answer to a command.
func (s *Session) await(ctx context.Context, id int) (message, error) {
	s.mu.Lock()
	answer := s.answers[id]
	s.mu.Unlock()
	select {
	case m := <-answer:
		return m, nil
	case <-s.helper.done:
		select {
		case m := <-answer:
			return m, nil
		default:
			return message{}, s.helper.gone()
		}
	case <-ctx.Done():
		return message{}, context.Cause(ctx)
	}
}

// read is the goroutine that takes the helper's messages until it ends.
func (s *Session) read(out io.Reader) {
	lines := bufio.NewReaderSize(out, maxLine)
	for {
		line, err := lines.ReadSlice('\n')
		for errors.Is(err, bufio.ErrBufferFull) { // too long: leave it out
			line = nil
			if _, err = lines.ReadSlice('\n'); err == nil {
				break
			}
		}
		if err != nil {
			break
		}
		s.line(line)
	}
	err := s.helper.cmd.Wait()
	select {
	case <-s.helper.stopping:
	default:
		s.helper.err = fmt.Errorf("the sensor's helper ended: %w", orEOF(err))
		if text := s.helper.stderr.String(); text != "" {
			s.helper.err = fmt.Errorf("%w: %s", s.helper.err, text)
		}
	}
	close(s.helper.done)
}

// line takes one line.
func (s *Session) line(line []byte) {
	var m message
	if json.Unmarshal(line, &m) != nil {
		m = message{}
	}
	switch m.Type {
	case msgReady, msgFailed, msgClaimed, msgCanary, msgEnd:
		s.mu.Lock()
		answer := s.answers[m.ID]
		s.mu.Unlock()
		if answer != nil {
			select {
			case answer <- m:
				return
			default:
			}
		}
	}
	s.took(m)
}

// gone is the error of a helper that has ended.
func (h *helper) gone() error {
	if h.err != nil {
		return h.err
	}
	return errors.New("the sensor's helper has ended")
}

// end closes the helper's input, which ends it, and kills it if it does not
// follow. It waits until it has been reaped.
func (h *helper) end() {
	select {
	case <-h.stopping:
	default:
		close(h.stopping)
	}
	h.in.Close()
	select {
	case <-h.done:
	case <-time.After(endFor):
		_ = h.cmd.Process.Kill()
		<-h.done
	}
}

// orEOF is err, or the end of the output where the process ended well.
func orEOF(err error) error {
	if err == nil {
		return io.ErrUnexpectedEOF
	}
	return err
}

// tail keeps the beginning of what is written to it.
type tail struct{ bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	if room := mostErrorText - t.Len(); room > 0 {
		t.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (t *tail) has(word string) bool { return strings.Contains(t.String(), word) }
