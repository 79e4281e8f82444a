package kubescape

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"

	"github.com/vexxy/action/internal/foreign"
)

// acceptTime is how long the far side has to say that nothing listens. It has
// no word for the opposite.
const acceptTime = 2 * time.Second

// forwarder carries connections from the loopback to a pod's ports, one
// listener a port, each connection over a stream of its own.
type forwarder struct {
	engine   *Engine
	instance instance

	mu        sync.Mutex
	listeners map[int]net.Listener
	conn      httpstream.Connection
	next      int
	closed    bool
}

// endpoint gives the loopback address that stands for a port of the pod.
func (f *forwarder) endpoint(port int) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l := f.listeners[port]; l != nil {
		return l.Addr().String(), nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listening for port %d: %w", port, err)
	}
	if f.listeners == nil {
		f.listeners = map[int]net.Listener{}
	}
	f.listeners[port] = l
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go f.carry(c, port)
		}
	}()
	return l.Addr().String(), nil
}

// close ends all listeners and streams.
func (f *forwarder) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for _, l := range f.listeners {
		l.Close()
	}
	f.listeners = nil
	if f.conn != nil {
		f.conn.Close()
		f.conn = nil
	}
}

// accepts opens a connection to the port and sees whether the far side
// complains.
func (f *forwarder) accepts(ctx context.Context, port int) error {
	data, failed, err := f.open(ctx, port)
	if err != nil {
		return err
	}
	defer data.Reset()
	select {
	case err := <-failed:
		if err == nil {
			err = errors.New("closed at once")
		}
		return err
	case <-time.After(acceptTime):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// carry copies one connection to the pod and back.
func (f *forwarder) carry(local net.Conn, port int) {
	defer local.Close()
	data, failed, err := f.open(context.Background(), port) // as long as the listener: close ends it
	if err != nil {
		return
	}
	defer data.Reset()
	done := make(chan struct{}, 2)
	go func() {
		_, _ = io.Copy(local, data)
		done <- struct{}{}
	}()
	go func() {
		_, _ = io.Copy(data, local)
		data.Close() // half of it: the answer may still come
	}()
	select {
	case <-done:
	case err := <-failed:
		if err == nil {
			<-done
		}
	}
}

// open opens the two streams of one connection. failed gets what the far side
// says on the error stream: nil when it ends without a word.
func (f *forwarder) open(ctx context.Context, port int) (httpstream.Stream, <-chan error, error) {
	conn, id, err := f.connection(ctx)
	if err != nil {
		return nil, nil, err
	}
	header := http.Header{}
	header.Set(corev1.StreamType, corev1.StreamTypeError)
	header.Set(corev1.PortHeader, strconv.Itoa(port))
	header.Set(corev1.PortForwardRequestIDHeader, strconv.Itoa(id))
	complaint, err := conn.CreateStream(header)
	if err != nil {
		return nil, nil, fmt.Errorf("opening a stream to the pod: %w", err)
	}
	complaint.Close() // nothing is written to it
	header.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := conn.CreateStream(header)
	if err != nil {
		complaint.Reset()
		return nil, nil, fmt.Errorf("opening a stream to the pod: %w", err)
	}
	failed := make(chan error, 1)
	go func() {
		defer conn.RemoveStreams(complaint, data)
		text, err := io.ReadAll(io.LimitReader(complaint, 4<<10))
		switch {
		case err == nil && len(text) > 0:
			failed <- errors.New(foreign.Text(text).Line(300))
		default:
			failed <- err
		}
	}()
	return data, failed, nil
}

// connection gives the connection to the pod, a new one when the last broke.
func (f *forwarder) connection(ctx context.Context) (httpstream.Connection, int, error) {
	f.mu.Lock()
	f.next++
	id, conn := f.next, f.conn
	f.mu.Unlock()
	if conn != nil {
		select {
		case <-conn.CloseChan():
		default:
			return conn, id, nil
		}
	}
	conn, err := f.dial(ctx)
	if err != nil {
		return nil, 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		conn.Close()
		return nil, 0, errors.New("reaching the pod: it is not watched any more")
	}
	if f.conn != nil && f.conn != conn {
		old := f.conn
		select {
		case <-old.CloseChan():
		default: // another has dialled meanwhile
			conn.Close()
			return old, id, nil
		}
	}
	f.conn = conn
	return conn, id, nil
}

// dialTimeout is how long the API server may take to answer.
const dialTimeout = 20 * time.Second

// dial opens a connection to the pod. The library's dialer knows no context:
// what it brings when nobody waits any more is closed.
func (f *forwarder) dial(ctx context.Context) (httpstream.Connection, error) {
	c := f.engine.cluster
	transport, upgrader, err := spdy.RoundTripperFor(c.Config)
	if err != nil {
		return nil, fmt.Errorf("preparing to reach the pod: %w", err)
	}
	at := c.Client.CoreV1().RESTClient().Post().Resource("pods").Namespace(f.instance.namespace).Name(f.instance.pod).SubResource("portforward").URL()
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, at)
	ctx, cancel := context.WithTimeoutCause(ctx, dialTimeout, fmt.Errorf("the API server did not answer within %s", dialTimeout))
	defer cancel()
	return within(ctx, func() (httpstream.Connection, error) {
		conn, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
		return conn, err
	}, func(conn httpstream.Connection) { conn.Close() })
}

// within runs what knows no context and waits no longer than ctx for it. A
// result that comes later is given to late.
func within[T any](ctx context.Context, run func() (T, error), late func(T)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	got := make(chan answer, 1)
	go func() {
		value, err := run()
		got <- answer{value, err}
	}()
	select {
	case a := <-got:
		if a.err != nil {
			return a.value, fmt.Errorf("reaching the pod: %w", a.err)
		}
		return a.value, nil
	case <-ctx.Done():
		go func() {
			if a := <-got; a.err == nil {
				late(a.value)
			}
		}()
		var none T
		return none, fmt.Errorf("reaching the pod: %w", context.Cause(ctx))
	}
}
