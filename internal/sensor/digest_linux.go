package sensor

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// largestHashed bounds the content that is read of one foreign file.
	largestHashed = 256 << 20
	// longestHash bounds the time for it.
	longestHash = 10 * time.Second
)

// digest takes the SHA-256 of an executed or executably mapped file that is
// not, or not surely, the image's. What cannot be read is a blind spot.
func (w *watch) digest(r *root, id identity, wire wireFile, flags uint8) {
	sum, err := contentOf(r, id, wire, flags)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.sawBlind("foreign-exec", wire.Path)
		return
	}
	for key, f := range w.files {
		if key.identity == id {
			w.send.file(f, func(old *wireFile) bool {
				old.SHA256 = sum
				return true
			})
		}
	}
}

var (
	errGone     = errors.New("the file cannot be reached any more")
	errTooLarge = errors.New("the file is too large")
)

// contentOf hashes the file through whatever still leads to it: the process's
// executable, its mappings, the container's root.
func contentOf(r *root, id identity, wire wireFile, flags uint8) (string, error) {
	proc := "/proc/" + strconv.Itoa(wire.PID)
	if f := openSame(unix.AT_FDCWD, proc+"/exe", id, 0); f != nil {
		return sum(f)
	}
	if f := openMapped(proc, id); f != nil {
		return sum(f)
	}
	if flags&flagMemfd == 0 && r.dir != nil {
		if f := openSame(int(r.dir.Fd()), string(wire.Path), id, unix.RESOLVE_IN_ROOT); f != nil {
			return sum(f)
		}
	}
	return "", errGone
}

// openSame opens a path if it is a regular file with that identity. The first
// look is by a descriptor that opens nothing, so that no device or pipe of the
// container is touched.
func openSame(at int, name string, id identity, resolve uint64) *os.File {
	look, err := unix.Openat2(at, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: resolve})
	if err != nil {
		return nil
	}
	defer unix.Close(look)
	var st unix.Stat_t
	if unix.Fstat(look, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Ino != id.inode {
		return nil
	}
	f, err := os.OpenFile("/proc/self/fd/"+strconv.Itoa(look), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	return f
}

// openMapped opens a file that the process has mapped.
func openMapped(proc string, id identity) *os.File {
	maps, err := os.Open(proc + "/maps")
	if err != nil {
		return nil
	}
	defer maps.Close()
	inode := []byte(strconv.FormatUint(id.inode, 10))
	lines := bufio.NewReaderSize(maps, 16<<10)
	for {
		line, err := lines.ReadSlice('\n')
		if fields := bytes.Fields(line); len(fields) >= 5 && bytes.Equal(fields[4], inode) {
			if f := openSame(unix.AT_FDCWD, path.Join(proc, "map_files", string(fields[0])), id, 0); f != nil {
				return f
			}
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil
		}
	}
}

// sum hashes and closes f.
func sum(f *os.File) (string, error) {
	defer f.Close()
	hash := sha256.New()
	deadline := time.Now().Add(longestHash)
	for total := int64(0); ; {
		n, err := io.CopyN(hash, f, 1<<20)
		total += n
		switch {
		case errors.Is(err, io.EOF):
			return hex.EncodeToString(hash.Sum(nil)), nil
		case err != nil:
			return "", fmt.Errorf("reading a foreign file: %w", err)
		case total > largestHashed, time.Now().After(deadline):
			return "", errTooLarge
		}
	}
}
