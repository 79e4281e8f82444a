package workflows

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

var (
	release = regexp.MustCompile(`^([^/@\s]+/[^/@\s]+)[^@\s]*@v[0-9]+(\.[0-9]+){0,2}$`)
	commit  = regexp.MustCompile(`^[^@\s]+@[0-9a-f]{40}$`)
	digest  = regexp.MustCompile(`@sha256:[0-9a-f]{64}$`)
	version = regexp.MustCompile(`^# v?[0-9]+(\.[0-9]+)*\b`)
	// setters are the files by which a script sets variables of later steps.
	setters = regexp.MustCompile(`GITHUB_(ENV|PATH)\b`)
)

func (w *workflow) checkJob(name string, job *yaml.Node) {
	w.checkAll(get(job, "permissions"))
	if called := get(job, "uses"); called != nil {
		w.checkUses(called)
		if s := get(job, "secrets"); value(s) == "inherit" {
			w.add(Permissions, s, "all secrets for job %s: name what is needed", name)
		}
		return
	}
	if get(job, "timeout-minutes") == nil {
		w.add(Unbounded, job, "job %s has no timeout-minutes", name)
	}
	for _, label := range append(items(get(job, "runs-on")), get(job, "runs-on")) {
		if value(label) == "self-hosted" {
			w.add(Runner, label, "job %s runs on a machine of ours", name)
		}
	}
	w.checkImage(get(job, "container"))
	for _, service := range pairs(get(job, "services")) {
		w.checkImage(service)
	}
	publishes := w.publishes(job)
	for _, step := range items(get(job, "steps")) {
		w.checkStep(step, publishes)
	}
}

// publishes says whether what a job makes reaches others: it is part of a
// release, or it may write what users fetch.
func (w *workflow) publishes(job *yaml.Node) bool {
	events := w.triggers()
	if events["release"] != nil || get(events["push"], "tags") != nil {
		return true
	}
	for _, p := range []*yaml.Node{get(w.root, "permissions"), get(job, "permissions")} {
		for scope, level := range pairs(p) {
			if level.Value == "write" && (scope == "contents" || scope == "packages" || scope == "attestations") {
				return true
			}
		}
	}
	return false
}

func (w *workflow) checkStep(step *yaml.Node, publishes bool) {
	if uses := get(step, "uses"); uses != nil {
		w.checkUses(uses)
		w.checkAction(step, uses, publishes)
	}
	if run := get(step, "run"); run != nil {
		w.checkScript(run)
		if setters.MatchString(run.Value) {
			w.add(Environment, run, "a script sets variables of later steps: use outputs")
		}
	}
}

// checkScript finds expressions in a script. None is allowed, whatever it
// says: what is harmless today names a branch tomorrow.
func (w *workflow) checkScript(script *yaml.Node) {
	if strings.Contains(script.Value, "${{") {
		w.add(Injection, script, "an expression within a script becomes code: pass it by env")
	}
}

func (w *workflow) checkUses(uses *yaml.Node) {
	what := uses.Value
	switch {
	case strings.HasPrefix(what, "./"):
	case strings.HasPrefix(what, "docker://"):
		if !digest.MatchString(what) {
			w.add(Unpinned, uses, "%s has no digest", what)
		}
	case w.isOurs(what):
	case !commit.MatchString(what):
		w.add(Unpinned, uses, "%s is no commit: whoever owns it can change it", what)
	case !version.MatchString(uses.LineComment):
		w.add(Unpinned, uses, "%s: a comment after it says which version it is", what)
	}
}

// isOurs says whether an action or a workflow is a version of the caller's own.
func (w *workflow) isOurs(what string) bool {
	m := release.FindStringSubmatch(what)
	return m != nil && slices.Contains(w.own, m[1])
}

// checkAction looks at what well-known actions are asked for.
func (w *workflow) checkAction(step, uses *yaml.Node, publishes bool) {
	action, _, _ := strings.Cut(uses.Value, "@")
	with := get(step, "with")
	switch {
	case action == "actions/checkout":
		if value(get(with, "persist-credentials")) != "false" {
			w.add(Credentials, uses, "the token stays in .git/config for every later step: persist-credentials: false")
		}
	case action == "actions/github-script":
		if script := get(with, "script"); script != nil {
			w.checkScript(script)
		}
	case !publishes:
	case action == "actions/cache" || strings.HasPrefix(action, "actions/cache/"):
		w.add(Cache, uses, "what a cache holds may come from another branch's run")
	case action == "actions/setup-go" && value(get(with, "cache")) != "false":
		w.add(Cache, uses, "setup-go takes a cache unless it is told cache: false")
	case strings.HasPrefix(action, "actions/setup-") && get(with, "cache") != nil && value(get(with, "cache")) != "false":
		w.add(Cache, uses, "what a cache holds may come from another branch's run")
	}
}

// checkImage looks at the image of a container or a service, by its name or
// with options.
func (w *workflow) checkImage(container *yaml.Node) {
	image := container
	if named := get(container, "image"); named != nil {
		image = named
	}
	if name := value(image); name != "" && !digest.MatchString(name) {
		w.add(Unpinned, image, "image %s has no digest", name)
	}
}
