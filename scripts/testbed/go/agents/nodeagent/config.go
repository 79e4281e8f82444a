package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"testbed.local/agents/cluster"
)

// config is what the chart tells the real node-agent, and the faults that only
// the stand-in knows.
type config struct {
	cluster  cluster.Data
	node     string
	window   time.Duration // until a profile is complete
	first    time.Duration // until it is first saved
	period   time.Duration // between later saves
	include  []string      // namespaces; none is all
	exclude  []string
	mostSBOM int

	readyAfter time.Duration // from the first open eye to readiness
	queue      time.Duration // posts happen at multiples of it
	eye        []string      // the command that observes one container
	eyes       int           // how many containers may start at the same time
	kinds      []string      // which uses of files are seen
	faults     faults
}

// faults are failures of the real node-agent, on demand: BED_… variables.
type faults struct {
	drop       []string // files that are not seen, by their base names
	dropTold   bool     // the loss is noticed, so the profile is partial
	completion string   // in the place of complete
	status     string   // in the place of completed
	sbom       string   // in the place of ready; "none" is no object at all
}

// readConfig reads the mounted files and the environment.
func readConfig(env func(string) string) (config, error) {
	c := config{
		node: env("NODE_NAME"), readyAfter: 30 * time.Second, queue: 5 * time.Second,
		eye: []string{"/usr/bin/observe"}, eyes: 3, kinds: []string{"exec", "open"},
	}
	var file struct {
		Window  string   `json:"maxSniffingTimePerContainer"`
		First   string   `json:"initialDelay"`
		Period  string   `json:"updateDataPeriod"`
		Include []string `json:"includeNamespaces"`
		Exclude []string `json:"excludeNamespaces"`
		SBOM    int      `json:"maxSBOMSize"`
	}
	if err := cluster.Read("config.json", &file); err != nil {
		return c, err
	}
	if err := cluster.Read("clusterData.json", &c.cluster); err != nil {
		return c, err
	}
	c.include, c.exclude, c.mostSBOM = file.Include, file.Exclude, file.SBOM
	for _, d := range []struct {
		name, text string
		into       *time.Duration
	}{
		{"maxSniffingTimePerContainer", file.Window, &c.window},
		{"initialDelay", file.First, &c.first},
		{"updateDataPeriod", file.Period, &c.period},
		{"PROCFSSCANINTERVAL", env("PROCFSSCANINTERVAL"), &c.readyAfter},
		{"BED_READY_AFTER", env("BED_READY_AFTER"), &c.readyAfter},
		{"BED_QUEUE", env("BED_QUEUE"), &c.queue},
	} {
		var err error
		if d.text != "" {
			*d.into, err = time.ParseDuration(d.text)
		}
		if err != nil || *d.into <= 0 {
			return c, fmt.Errorf("reading %s %q: want a duration such as 90s", d.name, d.text)
		}
	}
	return c, c.readBed(env)
}

// readBed reads the stand-in's own settings.
func (c *config) readBed(env func(string) string) error {
	if text := env("BED_EYES"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 32 {
			return fmt.Errorf("reading BED_EYES %q: want a number from 1 to 32", text)
		}
		c.eyes = n
	}
	if text := env("BED_KINDS"); text != "" {
		c.kinds = strings.Split(text, ",")
	}
	for _, k := range c.kinds {
		if !slices.Contains([]string{"exec", "interp", "map", "open"}, k) {
			return fmt.Errorf("reading BED_KINDS: unknown kind %q", k)
		}
	}
	if text := env("BED_DROP"); text != "" {
		c.faults.drop = strings.Split(text, ",")
	}
	c.faults.dropTold = env("BED_DROP_TOLD") == "true"
	c.faults.completion = env("BED_COMPLETION")
	c.faults.status = env("BED_STATUS")
	c.faults.sbom = env("BED_SBOM")
	return nil
}

// watches says whether containers of a namespace are observed.
func (c *config) watches(namespace string) bool {
	if len(c.include) > 0 {
		return slices.Contains(c.include, namespace)
	}
	return !slices.Contains(c.exclude, namespace)
}
