package main

import (
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// fixture is one image. What runs in it and what never does is told in
// README.md; tests hold the analysis to that.
type fixture struct {
	name   string
	about  string
	layers []layer
	config v1.Config
}

// fixtures is the table of all images.
func fixtures() []fixture {
	var all []fixture
	for _, group := range [][]fixture{services(), languages(), distributions(), lives(), adversaries()} {
		all = append(all, group...)
	}
	return all
}

// port8080 is what every fixture with a server exposes.
func port8080() map[string]struct{} { return map[string]struct{}{"8080/tcp": {}} }

func server(command ...string) v1.Config {
	return v1.Config{Cmd: command, ExposedPorts: port8080()}
}

func program(command ...string) v1.Config { return v1.Config{Cmd: command} }

func withHealth(c v1.Config, command ...string) v1.Config {
	c.Healthcheck = &v1.HealthConfig{
		Test: append([]string{"CMD"}, command...), Interval: time.Second, Timeout: 5 * time.Second, Retries: 10,
	}
	return c
}
