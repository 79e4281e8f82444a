// Package app wires the program together: sub-commands, signals, exit codes.
// It is the only package that knows all the others.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/vexxy/action/internal/config"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/host/local"
)

// Streams are the program's connections to the world.
type Streams struct {
	In       io.Reader
	Out, Err *os.File
	Environ  []string
}

// command is one sub-command. Its result is the exit code; an error is printed
// with its hint, and its code wins.
type command struct {
	name, short string
	takes       string // what follows the name, for the help
	more        string // a further sentence of the help
	inputs      []config.Input
	hidden      bool
	run         func(ctx context.Context, s Streams, args []string) (fault.Code, error)
}

const inputsHelp = `Each input is a flag, a variable (VEXXY_DURATION for --duration) or a line of
.vexxy.yml; the first of these that is given wins.`

func commands() []command {
	return []command{
		{name: "run", short: "run an image under the sensor, judge its vulnerabilities, gate", run: runCommand,
			takes: " [--INPUT VALUE…] IMAGE…", inputs: config.Inputs(), more: inputsHelp},
		{name: "replay", short: "make the documents anew from a record", run: replayCommand,
			takes: " [--output-dir DIR] RECORD", inputs: replayInputs},
		{name: "attest", short: "sign what another job has observed, and attach it to the image", run: attestCommand,
			takes: " --attest keyless|key --image IMAGE [--INPUT VALUE…] DIR", inputs: config.Inputs(), more: attestHelp + "\n\n" + inputsHelp},
		{name: "publish", short: "gate what another job has observed, and tell of it", run: publishCommand,
			takes: " [--INPUT VALUE…] DIR", inputs: config.Inputs(), more: publishHelp + "\n\n" + inputsHelp},
		{name: "verify", short: "say who attested what to an image, and hold it to a policy", run: verifyCommand,
			takes: " --key FILE IMAGE, or --identity WHO --issuer URL IMAGE", inputs: verifyInputs, more: verifyHelp},
		{name: "doctor", short: "say what this machine can do, and what to do about the rest", run: doctorCommand},
		{name: "cleanup", short: "remove what a killed run has left", run: cleanupCommand},
		{name: "version", short: "print the version", run: versionCommand},
		{name: "sensor", hidden: true, run: sensorCommand},
	}
}

// Main runs the program and gives its exit code. It never panics and never
// exits by itself. A signal ends the context, so that everything is undone
// before Main returns; a second signal is no faster.
func Main(args []string, s Streams) (code int) {
	defer func() {
		if r := recover(); r != nil {
			printPanic(s.Err, r)
			code = int(fault.Internal)
		}
	}()
	ctx, stop := withSignals(context.Background())
	defer stop()
	got, err := dispatch(ctx, s, args)
	if err != nil {
		local.PrintError(s.Err, err)
		got = fault.Worst(got, fault.CodeOf(ctx, err))
	}
	return int(got)
}

// printPanic says where the program is at fault. The value may hold what an
// image or a server has said.
func printPanic(w io.Writer, value any) {
	fmt.Fprintf(w, "error: internal: %s\n%s", foreign.Text(fmt.Sprint(value)).Terminal(2000), debug.Stack())
}

// Job is Main for a CI host, where `run` goes without saying: arguments that
// do not begin with a sub-command are those of `run`.
func Job(args []string, s Streams) int {
	for _, c := range commands() {
		if len(args) > 0 && c.name == args[0] {
			return Main(args, s)
		}
	}
	return Main(append([]string{"run"}, args...), s)
}

func dispatch(ctx context.Context, s Streams, args []string) (fault.Code, error) {
	if len(args) == 0 {
		usage(s.Err)
		return fault.Usage, nil
	}
	switch args[0] {
	case "help", "-h", "--help":
		usage(s.Out)
		return fault.Pass, nil
	case "--version":
		args[0] = "version"
	}
	var names []string
	for _, c := range commands() {
		if c.name == args[0] {
			code, err := c.run(ctx, s, args[1:])
			if errors.Is(err, config.ErrHelp) {
				return fault.Pass, c.help(s.Out)
			}
			return code, err
		}
		if !c.hidden {
			names = append(names, c.name)
		}
	}
	return fault.Usage, fault.New(fault.Usage, config.Suggest(args[0], names), "unknown command %q", args[0])
}

func usage(w io.Writer) {
	fmt.Fprint(w, "vexxy runs a container image and says which of its vulnerabilities were reached.\n\nUsage:\n\n")
	for _, c := range commands() {
		if !c.hidden {
			fmt.Fprintf(w, "  vexxy %-8s %s\n", c.name, c.short)
		}
	}
	fmt.Fprint(w, "\n`vexxy run --help` lists the inputs.\n")
}

// help writes what a sub-command does and takes.
func (c command) help(w io.Writer) error {
	fmt.Fprintf(w, "vexxy %s%s\n\n%s\n", c.name, c.takes, c.short)
	if c.more != "" {
		fmt.Fprintf(w, "\n%s\n", c.more)
	}
	if len(c.inputs) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	return config.WriteHelp(w, c.inputs)
}

// noArguments is the error of a sub-command that takes none and was given some.
func noArguments(name string, args []string) error {
	line, err := config.ParseLine(args, nil)
	if err == nil && len(line.Rest) > 0 {
		err = fault.New(fault.Usage, "run it without arguments", "%s takes no arguments", name)
	}
	return err
}

// withSignals gives a context that ends, with a fault.Signal as its cause, on
// SIGINT, SIGTERM or SIGHUP. A reader of our output that leaves ends nothing: a
// write fails then, where SIGPIPE would leave behind all that a run has made.
func withSignals(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// Nobody listens; to ignore it instead would be inherited by what we start.
	unheard := make(chan os.Signal, 1)
	signal.Notify(unheard, syscall.SIGPIPE)
	done := make(chan struct{})
	go func() {
		select {
		case got := <-signals:
			code := fault.Terminated
			if got == os.Interrupt {
				code = fault.Interrupted
			}
			cancel(fault.Signal{Code: code})
		case <-done:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		signal.Stop(unheard)
		close(done)
		cancel(nil)
	}
}
