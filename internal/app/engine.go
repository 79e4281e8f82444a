package app

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vexxy/action/internal/catalog"
	"github.com/vexxy/action/internal/cluster"
	"github.com/vexxy/action/internal/config"
	"github.com/vexxy/action/internal/doctor"
	"github.com/vexxy/action/internal/engine/embedded"
	"github.com/vexxy/action/internal/engine/kubescape"
	"github.com/vexxy/action/internal/exercise"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/journal"
	"github.com/vexxy/action/internal/run"
	"github.com/vexxy/action/internal/source"
	"github.com/vexxy/action/internal/window"
)

// supportFolder holds a kept cluster's support bundle, in the output directory.
const supportFolder = "support"

// engine is one of the engines, with what the wiring wants to know of it.
type engine struct {
	run.Engine
	Close func(context.Context) error
	// expect tells it of an image before Observe; parallel is how many images
	// it takes at a time.
	expect   func(source.Image)
	parallel int
}

// making is what an engine is made from.
type making struct {
	streams  Streams
	cfg      config.Config
	id       string
	started  time.Time
	tmp      string
	helper   []string // starts the sensor
	timeline *run.Timeline
	journal  *journal.Journal
	matcher  func(context.Context) (*catalog.Matcher, error)
}

// newEngine makes the engine that the inputs name.
func newEngine(ctx context.Context, m making) (engine, error) {
	if m.cfg.Engine == config.EngineEmbedded {
		e := embedded.New(m.embedded(), m.timeline, m.journal, m.matcher)
		return engine{Engine: e, Close: e.Close, expect: func(source.Image) {}}, nil
	}
	o, err := m.kubescape(ctx)
	if err != nil {
		return engine{}, err
	}
	e := kubescape.New(o, m.timeline, m.journal, m.matcher)
	return engine{Engine: e, Close: e.Close, expect: e.Expect, parallel: int(m.cfg.Cluster.Parallel)}, nil
}

// embedded translates the inputs for the embedded engine.
func (m making) embedded() embedded.Options {
	cfg := m.cfg
	return embedded.Options{
		RunID:    m.id,
		Duration: cfg.Duration, EarlyStop: cfg.EarlyStop, Quiet: cfg.Quiet,
		Command: cfg.Command, Args: cfg.Args, User: cfg.User, Ports: cfg.Ports, Network: cfg.Network,
		CPU: cfg.CPULimit, Memory: cfg.MemoryLimit, Pids: cfg.PidsLimit,
		AllowPrivilegeEscalation: cfg.AllowPrivilegeEscalation,
		SensorCommand:            m.helper, TempDir: m.tmp,
		Env: m.env(), Exercise: m.exercise(),
	}
}

// kubescape translates the inputs for the Kubescape engine.
func (m making) kubescape(ctx context.Context) (kubescape.Options, error) {
	cfg, k := m.cfg, m.cfg.Cluster
	support, err := filepath.Abs(filepath.Join(cfg.OutputDir, supportFolder))
	if err != nil {
		return kubescape.Options{}, err
	}
	version := k.ChartVersion
	if !cfg.Given("chart-version") && !strings.Contains(k.Chart, "://") {
		version = "" // the default is of the default chart, not of the user's own
	}
	o := kubescape.Options{
		RunID: m.id, Images: len(cfg.Images), Requested: cfg.Images, Parallel: int(k.Parallel),
		Window: window.Options{Duration: cfg.Duration, Exercise: m.exercise()},
		Cluster: cluster.Options{
			RunID: m.id, Provider: k.Provider, NodeImage: k.NodeImage, Pids: cfg.PidsLimit,
			Mirrors: mirrors(k.Mirrors), Dir: m.tmp, Journal: m.journal, Note: m.timeline.Note,
			Unseen: doctor.SeesOtherFiles(ctx, lookup(m.streams.Environ)),
		},
		Archives: k.Archives, Retain: k.Retain, SupportDir: support, Redact: m.redact,
		Chart: kubescape.ChartSource{Chart: k.Chart, Version: version, Digest: k.ChartDigest, Values: k.Values},
		Pod: kubescape.PodOptions{
			Command: cfg.Command, Args: cfg.Args, Env: m.env(), User: cfg.User, Ports: cfg.Ports, Network: cfg.Network,
			CPU: cfg.CPULimit, CPURequest: k.CPURequest, Memory: cfg.MemoryLimit, MemoryRequest: k.MemoryRequest,
			AllowPrivilegeEscalation: cfg.AllowPrivilegeEscalation,
		},
		Packaged: kubescape.Packaged{
			Manifests: k.Manifests, Container: k.WorkloadContainer,
			Chart: kubescape.ChartSource{Chart: k.HelmChart, Values: k.HelmValues},
		},
		InstallTimeout: k.InstallTimeout, Deadline: m.started.Add(cfg.Deadline),
		SensorCommand: m.helper, TempDir: m.tmp,
	}
	if k.Existing() {
		o.Existing = &kubescape.Existing{Kubeconfig: k.Kubeconfig, Context: k.Context}
	}
	if k.KindConfig != "" {
		if o.Cluster.Config, err = os.ReadFile(k.KindConfig); err != nil {
			return o, fault.New(fault.Usage, "kind-config names a kind configuration file", "reading kind-config: %w", err)
		}
	}
	return o, nil
}

// mirrors splits HOST=URL, which was checked when it was read.
func mirrors(list []string) map[string]string {
	all := map[string]string{}
	for _, item := range list {
		host, url, _ := strings.Cut(item, "=")
		all[host] = url
	}
	return all
}

func (m making) env() []string {
	var env []string
	for _, v := range m.cfg.Env {
		env = append(env, v.Name+"="+v.Value.Reveal())
	}
	return env
}

func (m making) exercise() exercise.Plan {
	cfg := m.cfg
	return exercise.Plan{
		ReadyURL: cfg.ReadyURL, ReadyCommand: argv(cfg.ReadyCommand), ReadyTimeout: cfg.ReadyTimeout,
		TestCommand: cfg.TestCommand, ExecCommand: argv(cfg.ExecCommand), TestTimeout: cfg.TestTimeout,
		HTTPProbe: cfg.HTTPProbe, Environ: withoutSecrets(m.cfg, m.streams.Environ), Redact: m.redact,
	}
}

// redact takes the values of secrets out of a text, those too that open a key's
// system, also as they stand in JSON
// and in a pod's environment, where $( is written $$(.
func (m making) redact(text string) string {
	for _, secret := range secretsOf(m.cfg, m.streams.Environ) {
		v := secret.Reveal()
		if v == "" {
			continue
		}
		for _, form := range []string{v, strings.ReplaceAll(v, "$(", "$$(")} {
			text = strings.ReplaceAll(text, form, "REDACTED")
			for _, html := range []bool{true, false} {
				text = strings.ReplaceAll(text, inJSON(form, html), "REDACTED")
			}
		}
	}
	return text
}

// inJSON is a text as it stands between quotation marks in JSON.
func inJSON(s string, html bool) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(html)
	if err := e.Encode(s); err != nil {
		return s
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSuffix(b.String(), "\n"), `"`), `"`)
}

// argv reads a command that runs in the workload as Dockerfiles do: a JSON
// list runs as it is, anything else by the workload's shell.
func argv(command string) []string {
	var list []string
	switch {
	case command == "":
		return nil
	case strings.HasPrefix(command, "[") && json.Unmarshal([]byte(command), &list) == nil && len(list) > 0:
		return list
	}
	return []string{"/bin/sh", "-c", command}
}
