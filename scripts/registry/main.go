// Command registry serves a container registry on the loopback for as long as
// another command runs, with images pushed into it first. The demo needs one,
// as only a registry gives an image the digest that it is run and reported by.
//
//	go run ./scripts/registry -push NAME=LAYOUT ... -- COMMAND ARG...
//
// In the command's arguments {NAME} stands for the pushed image by digest,
// such as localhost:40001/demo@sha256:…, and {NAME:tag} for it by its tag. The
// environment variable REGISTRY_ADDRESS holds the address. The command's exit
// code is the program's.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		os.Exit(exit.ExitCode())
	case err != nil:
		fmt.Fprintln(os.Stderr, "registry:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	var pushes []string
	flags := flag.NewFlagSet("registry", flag.ContinueOnError)
	flags.Func("push", "`NAME=LAYOUT`: an OCI layout to push as NAME (may repeat)", func(v string) error {
		if name, dir, ok := strings.Cut(v, "="); !ok || name == "" || dir == "" {
			return errors.New("want NAME=LAYOUT")
		}
		pushes = append(pushes, v)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("usage: registry -push NAME=LAYOUT -- COMMAND")
	}
	address, err := serve()
	if err != nil {
		return err
	}
	var known []string
	for _, p := range pushes {
		name, dir, _ := strings.Cut(p, "=")
		tag := address + "/" + name + ":latest"
		digest, err := push(ctx, tag, dir)
		if err != nil {
			return fmt.Errorf("pushing %s: %w", name, err)
		}
		known = append(known, "{"+name+"}", address+"/"+name+"@"+digest, "{"+name+":tag}", tag)
	}
	command := flags.Args()
	for i := range command {
		command[i] = strings.NewReplacer(known...).Replace(command[i])
	}
	return follow(ctx, command, "REGISTRY_ADDRESS="+address)
}

// serve starts a registry on a free port of the loopback. It ends with the
// program.
func serve() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listening: %w", err)
	}
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(listener)
	// Docker takes a registry called localhost for one without TLS.
	return fmt.Sprintf("localhost:%d", listener.Addr().(*net.TCPAddr).Port), nil
}

// push sends the layout's index, as a multi-platform build would have left it
// in a registry, and gives its digest.
func push(ctx context.Context, tag, dir string) (string, error) {
	ref, err := name.ParseReference(tag)
	if err != nil {
		return "", err
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return "", fmt.Errorf("reading layout: %w", err)
	}
	if err := remote.WriteIndex(ref, index, remote.WithContext(ctx)); err != nil {
		return "", err
	}
	var digest v1.Hash
	if digest, err = index.Digest(); err != nil {
		return "", err
	}
	return digest.String(), nil
}

// follow runs the command with our own terminal. Signals reach it as part of
// the foreground process group; when only we are told to stop, we tell it.
func follow(ctx context.Context, command []string, env string) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), env)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	return cmd.Run()
}
