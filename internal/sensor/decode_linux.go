package sensor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"unsafe"
)

// Types and flags of events, as in maps.h.
const (
	eventFile   = 1
	eventScript = 2
	eventGroup  = 3
	eventPivot  = 4
	eventSample = 5

	flagJoined = 1
	flagCanary = 2
	flagCut    = 4
	flagMemfd  = 8
)

// event is one record of the ring buffer.
type event struct {
	time   uint64
	group  uint64
	inode  uint64
	device uint32
	pid    uint32
	magic  uint32
	kind   uint8
	kinds  uint8
	flags  uint8
	comm   []byte
	// path is absolute; of a script it is the directory that name is relative to.
	path []byte
	name []byte
}

// eventHead is the size of an event without its path.
const eventHead = int(unsafe.Offsetof(probeEvent{}.Path))

var errShortEvent = errors.New("a record of the ring buffer is too short")

// decode reads a record; it keeps nothing of raw.
func decode(raw []byte) (event, error) {
	if len(raw) < eventHead {
		return event{}, errShortEvent
	}
	order := binary.NativeEndian
	e := event{
		time:   order.Uint64(raw[unsafe.Offsetof(probeEvent{}.Time):]),
		group:  order.Uint64(raw[unsafe.Offsetof(probeEvent{}.Group):]),
		inode:  order.Uint64(raw[unsafe.Offsetof(probeEvent{}.Ino):]),
		device: order.Uint32(raw[unsafe.Offsetof(probeEvent{}.Dev):]),
		pid:    order.Uint32(raw[unsafe.Offsetof(probeEvent{}.Pid):]),
		magic:  order.Uint32(raw[unsafe.Offsetof(probeEvent{}.Magic):]),
		kind:   raw[unsafe.Offsetof(probeEvent{}.Type)],
		kinds:  raw[unsafe.Offsetof(probeEvent{}.Kinds)],
		flags:  raw[unsafe.Offsetof(probeEvent{}.Flags)],
	}
	length := int(order.Uint32(raw[unsafe.Offsetof(probeEvent{}.Len):]))
	if len(raw) < eventHead+length {
		return event{}, errShortEvent
	}
	comm := raw[unsafe.Offsetof(probeEvent{}.Comm):][:len(probeEvent{}.Comm)]
	if end := bytes.IndexByte(comm, 0); end >= 0 {
		comm = comm[:end]
	}
	e.comm = bytes.Clone(comm)
	path := raw[eventHead : eventHead+length]
	if e.kind == eventScript {
		end := bytes.IndexByte(path, 0)
		if end < 0 {
			return event{}, errShortEvent
		}
		e.name = bytes.Clone(path[:end])
		path = path[end+1:]
	}
	e.path = turn(path)
	return e, nil
}

// turn makes a path out of names that stand from the leaf up, each followed
// by a slash.
func turn(names []byte) []byte {
	if len(names) == 0 {
		return []byte{'/'}
	}
	parts := bytes.Split(names[:len(names)-1], []byte{'/'})
	slices.Reverse(parts)
	return append([]byte{'/'}, bytes.Join(parts, []byte{'/'})...)
}
