package sensor

import (
	"bufio"
	"encoding/json"
	"io"
	"sync"
)

// sender writes messages. Files are queued, so that a slow reader on the other
// side never holds up the ring buffer; each queued file is written once with
// what is then known of it.
type sender struct {
	mu    sync.Mutex
	wake  *sync.Cond
	queue []*file
	last  []message
	ended bool
	err   error
	done  chan struct{}
}

func newSender(out io.Writer) *sender {
	s := &sender{done: make(chan struct{})}
	s.wake = sync.NewCond(&s.mu)
	go s.write(bufio.NewWriterSize(out, 64<<10))
	return s
}

// message queues m behind the files that are queued already.
func (s *sender) message(m message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.last = append(s.last, m)
		s.wake.Signal()
	}
}

// file changes f by change and queues it, unless change says that nothing is new.
func (s *sender) file(f *file, change func(*wireFile) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if change(&f.wire) && !f.queued && !s.ended {
		f.queued = true
		s.queue = append(s.queue, f)
		s.wake.Signal()
	}
}

// close waits until all is written.
func (s *sender) close() error {
	s.mu.Lock()
	s.ended = true
	s.wake.Signal()
	s.mu.Unlock()
	<-s.done
	return s.err
}

// write is the sender's goroutine.
func (s *sender) write(out *bufio.Writer) {
	defer close(s.done)
	encoder := json.NewEncoder(out)
	for {
		s.mu.Lock()
		for len(s.queue) == 0 && len(s.last) == 0 && !s.ended {
			s.wake.Wait()
		}
		batch := make([]message, 0, len(s.queue)+len(s.last))
		for _, f := range s.queue {
			wire := f.wire
			f.queued = false
			batch = append(batch, message{Type: msgFile, File: &wire})
		}
		batch = append(batch, s.last...)
		s.queue, s.last = nil, nil
		ended := s.ended && len(batch) == 0
		s.mu.Unlock()
		if ended {
			return
		}
		for _, m := range batch {
			if s.err == nil {
				s.err = encoder.Encode(m)
			}
		}
		if s.err == nil {
			s.err = out.Flush()
		}
	}
}
