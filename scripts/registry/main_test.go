package main

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func TestPushedLayoutIsServedByItsDigest(t *testing.T) {
	index, err := random.Index(64, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "layout")
	if _, err := layout.Write(dir, index); err != nil {
		t.Fatal(err)
	}
	want, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	address, err := serve()
	if err != nil {
		t.Fatal(err)
	}
	got, err := push(t.Context(), address+"/app:latest", dir)
	if err != nil || got != want.String() {
		t.Fatalf("push gives %s and error %v, want %s", got, err, want)
	}
	ref, err := name.ParseReference(address + "/app@" + got)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Index(ref, remote.WithContext(t.Context())); err != nil {
		t.Errorf("asking for the image by its digest: %v", err)
	}

	// The command sees the image under its name, and its exit code is ours.
	check := `case $0 in "$REGISTRY_ADDRESS"/app@` + got + `) exit 7 ;; esac`
	err = run(t.Context(), []string{"-push", "app=" + dir, "--", "sh", "-c", check, "{app}"})
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("the command ended with %v, want exit code 7", err)
	}
}

func TestRunRefuses(t *testing.T) {
	for _, args := range [][]string{nil, {"-push", "app"}, {"-push", "app=/no/such/dir", "true"}} {
		if err := run(context.Background(), args); err == nil {
			t.Errorf("run(%s) gives no error", strings.Join(args, " "))
		}
	}
}
