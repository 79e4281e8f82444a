//go:build linux

package sensor

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// testImage is one image for all tests: the probe program in all its builds,
// the libraries it needs, scripts, and some files to open.
var testImage struct {
	once sync.Once
	name string
	err  error
}

// image builds the test image once.
func image(t testing.TB) string {
	t.Helper()
	testImage.once.Do(func() { testImage.name, testImage.err = buildImage() })
	if testImage.err != nil {
		t.Fatal(testImage.err)
	}
	return testImage.name
}

const hello = "hello"

func buildImage() (string, error) {
	root, err := os.MkdirTemp("", "sensor-image")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(root)
	for _, dir := range []string{"bin", "data", "empty", "mnt", "nested", "proc", "sys", "tmp", "jail/etc", "burst", "deep"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return "", err
		}
	}
	builds := map[string][]string{
		"static":  {"gcc", "-static", "-O1"},
		"dynamic": {"gcc", "-DDYNAMIC", "-O1"},
		"musl":    {"musl-gcc", "-idirafter", "/usr/include", "-idirafter", "/usr/include/" + runtimeTriple, "-O1"},
	}
	if runtime.GOARCH == "amd64" {
		builds["i386"] = []string{"gcc", "-m32", "-O1"}
	}
	for name, cc := range builds {
		out := filepath.Join(root, "bin", name)
		args := append(cc[1:], "-o", out, "testdata/probe.c", "-lpthread")
		if text, err := exec.Command(cc[0], args...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("compiling the %s probe (packages gcc, gcc-multilib, musl-tools): %w: %s", name, err, text)
		}
		for _, lib := range needed(out) {
			if err := copyFile(lib, filepath.Join(root, lib)); err != nil {
				return "", err
			}
		}
	}
	if err := copyFile(filepath.Join(root, "bin/static"), filepath.Join(root, "bin/true")); err != nil {
		return "", err
	}
	if err := copyFile("/usr/bin/dash", filepath.Join(root, "bin/sh")); err != nil {
		return "", err
	}
	for _, lib := range []string{"libz.so.1", "libpcre2-8.so.0"} { // only to be opened, or not
		if err := copyFile(filepath.Join("/lib", runtimeTriple, lib), filepath.Join(root, "lib", runtimeTriple, lib)); err != nil {
			return "", err
		}
	}
	files := map[string]string{
		"data/a": hello, "data/b": hello, "data/never": hello, "jail/etc/inside": hello, "data/new\nline\xff": hello,
		"bin/script":  "#!/bin/sh\nexit 0\n",
		"bin/script2": "#!/bin/script3 x\n",
		"bin/script3": "#!/bin/true\n",
		// The loop of many short lives, in a shell.
		"bin/many": "#!/bin/sh\ni=0\nwhile [ $i -lt $2 ]; do $1 true; i=$((i+1)); done\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o755); err != nil {
			return "", err
		}
	}
	if err := os.Link(filepath.Join(root, "data/a"), filepath.Join(root, "data/linked")); err != nil {
		return "", err
	}
	name := "vexxy-sensor-test:" + randomHex(6)
	tar := exec.Command("sh", "-c", `tar -C "$1" -c . | docker import - "$2"`, "sh", root, name)
	if text, err := tar.CombinedOutput(); err != nil {
		return "", fmt.Errorf("importing the test image: %w: %s", err, text)
	}
	return name, nil
}

var runtimeTriple = map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[runtime.GOARCH]

// muslLoader is the interpreter that musl programs name; it is libc.
var muslLoader = map[string]string{"amd64": "/lib/ld-musl-x86_64.so.1", "arm64": "/lib/ld-musl-aarch64.so.1"}[runtime.GOARCH]

// needed lists the libraries and the interpreter of a program, by the paths
// under which they are found at run time.
func needed(program string) []string {
	if strings.HasSuffix(program, "musl") {
		return []string{muslLoader}
	}
	out, err := exec.Command("ldd", program).Output()
	if err != nil {
		return nil // static
	}
	return regexp.MustCompile(`/\S+`).FindAllString(string(out), -1)
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o755)
}
