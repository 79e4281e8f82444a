package app

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/vexxy/action/internal/boot"
	"github.com/vexxy/action/internal/fault"
)

func init() { boot.Over() }

// version is set by the linker in releases: -X …/internal/app.version=v1.2.3.
var version string

// Version gives the program's version: the release's, else the module's, else
// "devel" with the commit that was built.
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}

func versionCommand(_ context.Context, s Streams, args []string) (fault.Code, error) {
	if err := noArguments("version", args); err != nil {
		return fault.Usage, err
	}
	fmt.Fprintf(s.Out, "vexxy %s %s/%s %s\n", Version(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	return fault.Pass, nil
}
