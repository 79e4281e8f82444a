package sensor

import "sync"

// crew runs jobs that read the container's files, which may be slow.
type crew struct {
	mu      sync.Mutex
	jobs    chan func()
	closed  bool
	pending sync.WaitGroup
	workers sync.WaitGroup
}

// mostJobs bounds the jobs that wait.
const mostJobs = 8192

func newCrew(workers int) *crew {
	c := &crew{jobs: make(chan func(), mostJobs)}
	for range workers {
		c.workers.Add(1)
		go func() {
			defer c.workers.Done()
			for job := range c.jobs {
				job()
				c.pending.Done()
			}
		}()
	}
	return c
}

// do queues a job; false when there is no room.
func (c *crew) do(job func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.pending.Add(1)
	select {
	case c.jobs <- job:
		return true
	default:
		c.pending.Done()
		return false
	}
}

// idle gives a channel that is closed when all jobs so far are done.
func (c *crew) idle() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		c.pending.Wait()
		close(done)
	}()
	return done
}

// close lets the workers end after the jobs that wait; it does not wait for
// one that hangs in a file system.
func (c *crew) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		close(c.jobs)
	}
}
