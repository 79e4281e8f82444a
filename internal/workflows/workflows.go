// Package workflows asks of GitHub workflows what an attacker would: what they
// run that someone else can change, what they let texts of others do, and what
// they hand to it. It is for tests, and knows what zizmor looks for
// (docs.zizmor.sh/audits), as far as workflows like ours have any of it.
//
// Check takes any workflow, also one of a README's. A finding is never
// excused: what is meant is written so that it is none.
package workflows

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Rules, as findings name them.
const (
	Unpinned    = "unpinned"    // an action or an image that others can change
	Injection   = "injection"   // an expression within a script
	Credentials = "credentials" // a checkout that leaves the token in the workspace
	Permissions = "permissions" // more than a job needs, or whatever the repository allows
	Trigger     = "trigger"     // an event that gives secrets to the code of others
	Cache       = "cache"       // a cache that others fill, in a job that publishes
	Environment = "environment" // variables of later steps, set from a script
	Unbounded   = "unbounded"   // a job without an end
	Runner      = "runner"      // a machine that outlives the job
	Unreadable  = "unreadable"  // no workflow
)

// Finding is one thing to mend.
type Finding struct {
	Rule string
	Line int
	Text string
}

func (f Finding) String() string { return fmt.Sprintf("line %d: %s: %s", f.Line, f.Rule, f.Text) }

// Check gives what is wrong with a workflow, by its lines. Actions of the
// repositories own, OWNER/NAME, may be named by a version: who reads the
// workflow trusts them anyway.
func Check(text []byte, own ...string) []Finding {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return []Finding{{Unreadable, 1, err.Error()}}
	}
	w := workflow{own: own}
	if len(doc.Content) == 1 {
		w.root = doc.Content[0]
	}
	jobs := get(w.root, "jobs")
	if jobs == nil || jobs.Kind != yaml.MappingNode || get(w.root, "on") == nil {
		return []Finding{{Unreadable, 1, "it has no jobs, or nothing starts it"}}
	}
	w.checkTriggers()
	w.checkTop()
	for name, job := range pairs(jobs) {
		w.checkJob(name, job)
	}
	slices.SortStableFunc(w.found, func(a, b Finding) int { return a.Line - b.Line })
	return w.found
}

// workflow is one that is being checked.
type workflow struct {
	root  *yaml.Node
	own   []string
	found []Finding
}

func (w *workflow) add(rule string, at *yaml.Node, format string, args ...any) {
	w.found = append(w.found, Finding{rule, at.Line, fmt.Sprintf(format, args...)})
}

// triggers gives the events by which the workflow starts, with what each asks.
func (w *workflow) triggers() map[string]*yaml.Node {
	all := map[string]*yaml.Node{}
	on := get(w.root, "on")
	switch on.Kind {
	case yaml.ScalarNode:
		all[on.Value] = on
	case yaml.SequenceNode:
		for _, event := range on.Content {
			all[event.Value] = event
		}
	default:
		for event, asks := range pairs(on) {
			all[event] = asks
		}
	}
	return all
}

// ofOthers are the events that run on the base's side, with its secrets, when
// someone from outside acts.
var ofOthers = []string{"workflow_run", "issue_comment", "issues", "discussion", "discussion_comment", "pull_request_review", "pull_request_review_comment"}

func (w *workflow) checkTriggers() {
	events := w.triggers()
	if at := events["pull_request_target"]; at != nil {
		w.add(Trigger, at, "pull_request_target gives the base's token to what a fork brings: use pull_request")
	}
	for _, event := range ofOthers {
		if at := events[event]; at != nil {
			w.checkCare(event, at)
		}
	}
}

// checkCare holds a workflow that others can start to run nothing of theirs: it
// checks out no commit that the event names.
func (w *workflow) checkCare(event string, at *yaml.Node) {
	for _, job := range pairs(get(w.root, "jobs")) {
		for _, step := range items(get(job, "steps")) {
			if !strings.HasPrefix(value(get(step, "uses")), "actions/checkout@") {
				continue
			}
			with := get(step, "with")
			for _, key := range []string{"ref", "repository"} {
				if what := get(with, key); what != nil && strings.Contains(what.Value, "${{") {
					w.add(Trigger, what, "%s (line %d) is an event of others, and this checks out what it names", event, at.Line)
				}
			}
		}
	}
}

func (w *workflow) checkTop() {
	p := get(w.root, "permissions")
	if p == nil {
		w.add(Permissions, w.root, "no permissions at the top: every job that names none has what the repository allows")
		return
	}
	for scope, level := range pairs(p) {
		if level.Value == "write" {
			w.add(Permissions, level, "%s: write for every job: give it to the job that needs it", scope)
		}
	}
	w.checkAll(p)
}

// checkAll finds permissions that are named by one word.
func (w *workflow) checkAll(p *yaml.Node) {
	if word := value(p); word == "write-all" || word == "read-all" {
		w.add(Permissions, p, "%s: name what is needed", word)
	}
}
