package sensor

import (
	"slices"

	"github.com/vexxy/action/internal/evidence"
)

// fileKey tells observations apart: one file under one name.
type fileKey struct {
	identity
	path, image string
}

// identity is a file's place in stat's numbering.
type identity struct{ device, inode uint64 }

// file is one observation on its way to the client; wire and queued are
// guarded by the sender.
type file struct {
	wire   wireFile
	queued bool
}

// use takes one event of a claimed group whose index is made; mu is held.
func (w *watch) use(g *group, e event) {
	switch e.kind {
	case eventSample:
		if w.loose && !w.looking[e.pid] {
			w.looking[e.pid] = true
			w.delegate(func() { w.look(g, e) })
		}
		return
	case eventScript:
		w.delegate(func() { w.script(g, e) })
		return
	}
	id := identity{device(e.device), e.inode}
	wire := w.wire(e)
	wire.Device, wire.Inode, wire.Path = id.device, id.inode, e.path
	w.found(g.root, id, wire, e.flags)
}

// delegate gives a job to the crew, or counts it as lost; mu is held.
func (w *watch) delegate(job func()) {
	if !w.crew.do(job) {
		w.lost.Decode++
	}
}

// wire fills in what each observation of an event has.
func (w *watch) wire(e event) wireFile {
	return wireFile{
		Path: e.path, Kinds: e.kinds, Command: e.comm, PID: int(e.pid),
		Joined: e.flags&flagJoined != 0, At: w.program.at(e.time).UnixNano(),
	}
}

// found resolves a file against the image and records it; mu is held.
func (w *watch) found(r *root, id identity, wire wireFile, flags uint8) {
	names, is := r.look(id.device, id.inode, string(wire.Path))
	executed := wire.Kinds&(kindExec|kindInterp|kindXMap) != 0
	switch {
	case flags&flagMemfd != 0 && !executed:
		w.loose = true
		return
	case flags&flagMemfd != 0:
		names, is = nil, foreign
		w.sawBlind("memfd-exec", wire.Path)
	case flags&flagCut != 0 && is != foreign:
		wire.Path = []byte(names[0])
	case flags&flagCut != 0:
		w.lost.Path++
	}
	// Without a whole index nothing can be said to be no file of the image;
	// that there is none is an error in the health.
	wire.Foreign = r.fault == nil && (is == foreign || is == late && executed)
	if is == foreign || slices.Contains(names, string(wire.Path)) {
		w.record(wire)
	}
	// All names of a hard-linked file are in use when one is.
	for _, name := range names {
		if name != string(wire.Path) {
			other := wire
			other.Image = []byte(name)
			w.record(other)
		}
	}
	w.loose = w.loose || is != ofImage && !executed && wire.Kinds&kindMap != 0
	if executed && is != ofImage && !w.hashed[id] {
		w.hashed[id] = true
		if !w.crew.do(func() { w.digest(r, id, wire, flags) }) {
			w.sawBlind("foreign-exec", wire.Path)
		}
	}
}

// record adds one observation to the table, or new ways of use to it; mu is held.
func (w *watch) record(wire wireFile) {
	key := fileKey{identity{wire.Device, wire.Inode}, string(wire.Path), string(wire.Image)}
	f := w.files[key]
	if f == nil {
		f = &file{}
		w.files[key] = f
		w.send.file(f, func(old *wireFile) bool {
			*old = wire
			return true
		})
		return
	}
	w.send.file(f, func(old *wireFile) bool {
		fresh := old.Kinds|wire.Kinds != old.Kinds
		old.Kinds |= wire.Kinds
		return fresh
	})
}

// sawBlind counts one way around the sensor; mu is held.
func (w *watch) sawBlind(what string, detail []byte) {
	b := w.blind[what]
	if b == nil {
		b = &evidence.Blind{What: what, Detail: string(detail[:min(len(detail), 256)])}
		w.blind[what] = b
	}
	b.Count++
}
