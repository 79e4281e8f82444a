package doctor

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// What a run needs at the least.
const (
	wantDisk   = 5 << 30
	wantMemory = 2 << 30
)

// disk looks at the space below a folder.
func disk(name, dir string, want uint64, why string) Finding {
	f := Finding{Name: name, Remedy: "free space in " + dir + ": " + why}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		f.Detail = err.Error()
		return f
	}
	free := st.Bavail * uint64(st.Bsize)
	f.OK = free >= want
	f.Detail = fmt.Sprintf("%.1f GiB free in %s (%d wanted)", float64(free)/(1<<30), dir, want>>30)
	return f
}

func memory(name string, want uint64, remedy string) Finding {
	f := Finding{Name: name, Remedy: remedy}
	raw, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		f.Detail = err.Error()
		return f
	}
	for line := range strings.Lines(string(raw)) {
		fields := strings.Fields(line)
		if len(fields) >= 2 && fields[0] == "MemAvailable:" {
			kib, _ := strconv.ParseUint(fields[1], 10, 64)
			f.OK = kib<<10 >= want
			f.Detail = fmt.Sprintf("%.1f GiB available (%d wanted)", float64(kib)/(1<<20), want>>30)
		}
	}
	return f
}

func kernelRelease() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}
