package objects

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kubescape/storage/pkg/apis/softwarecomposition/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/fault"
)

// Profile is a container's ContainerProfile.
type Profile struct {
	// Evidence describes it; its Error says what keeps it from being whole, or
	// why there is none, with what to do.
	Evidence evidence.Profile
	// Object is the profile as it is, nil for none.
	Object *v1beta1.ContainerProfile
}

// Whole reports whether kubevuln will take the profile.
func (p Profile) Whole() bool { return p.Object != nil && p.Evidence.Error == "" }

// Profile waits until the container's profile is finished in any way: completed,
// or in a state that does not get better. Of the reports that storage makes it
// of, only one that says all by itself is taken for it (see sole). The error is
// the cause of a ctx that ended.
func (c *Client) Profile(ctx context.Context, w Workload) (Profile, error) {
	var got Profile
	err := c.poll(ctx, c.limits.Profile, "there is no finished profile of "+shown(w.String(), 300), func(ctx context.Context) (bool, string, error) {
		list, err := c.api.ContainerProfiles(w.Namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, "", profileRefused(err)
		}
		meta, state := pick(list.Items, w)
		if meta == nil || !finished(meta.Annotations[keyStatus]) {
			return false, state, nil
		}
		whole, err := c.api.ContainerProfiles(w.Namespace).Get(ctx, meta.Name, metav1.GetOptions{})
		if err != nil {
			return false, state, profileRefused(err)
		}
		if !finished(whole.Annotations[keyStatus]) || isReport(whole) && (!sole(whole) || flaw(whole) != nil) {
			return false, state, nil
		}
		got = profileOf(whole)
		return true, "", nil
	})
	said, ended := settle(ctx, err)
	if got.Object == nil {
		got.Evidence.Error = said
	}
	return got, ended
}

func profileRefused(err error) error {
	return refused("get and list", "containerprofiles.spdx.softwarecomposition.kubescape.io in all namespaces", err)
}

// pick finds the newest profile of the container in a list of metadata, or the
// sole report where that is all there is, nil for neither, and says what it saw.
func pick(items []v1beta1.ContainerProfile, w Workload) (newest *v1beta1.ContainerProfile, state string) {
	var report *v1beta1.ContainerProfile
	reports, old := 0, 0
	for i := range items {
		p := &items[i]
		switch {
		case !w.of(p.Labels):
		case isReport(p):
			report, reports = p, reports+1
		case before(p.ObjectMeta, w.Since):
			old++
		case newest == nil || newest.CreationTimestamp.Time.Before(p.CreationTimestamp.Time):
			newest = p
		}
	}
	switch {
	case newest != nil:
		return newest, unfinished(newest.Annotations[keyStatus], newest.Annotations[keyCompletion])
	case reports > 0:
		if reports > 1 || old > 0 || before(report.ObjectMeta, w.Since) || !w.single() || !sole(report) {
			report = nil
		}
		return report, fmt.Sprintf("node-agent has posted %d reports, which storage has not merged yet: see storage's log", reports)
	case old > 0:
		return nil, "the only profile is of an earlier workload of that name: delete it, or give the workload another name"
	}
	return nil, "node-agent has posted nothing: see its log, and whether it watches the namespace (includeNamespaces, excludeNamespaces)"
}

// unfinished is the state of a profile that may still become whole.
func unfinished(status, completion string) string {
	switch status {
	case "", statusInitializing:
		return "it was only begun (" + statusInitializing + "): give a longer duration"
	case statusReady:
		return "it is still being learned (ready, " + shown(completion, 40) + "): node-agent's maxLearningPeriod, or the pod's label kubescape.io/max-sniffing-time, is longer than the window"
	}
	return fmt.Sprintf("its status is %s, its completion %s", shown(status, 40), shown(completion, 40))
}

// finished reports whether a profile's status is the last one.
func finished(status string) bool {
	switch status {
	case statusCompleted, statusFailed, statusTooLarge, statusIncomplete, statusNoAccess, statusNoRuntime, statusNoSchema:
		return true
	}
	return false
}

// profileOf describes a finished profile.
func profileOf(p *v1beta1.ContainerProfile) Profile {
	status, completion := p.Annotations[keyStatus], p.Annotations[keyCompletion]
	_, patterns := Observations(p, time.Time{})
	got := Profile{Object: p, Evidence: evidence.Profile{
		Name: text(slug(p)), Status: text(status), Completion: text(completion),
		Execs: len(p.Spec.Execs), Opens: len(p.Spec.Opens), Patterns: patterns,
	}}
	if err := flaw(p); err != nil {
		got.Evidence.Error = words(err)
	}
	return got
}

// flaw says what keeps a finished profile from being whole.
func flaw(p *v1beta1.ContainerProfile) error {
	status, completion := p.Annotations[keyStatus], p.Annotations[keyCompletion]
	lacks := func(hint, format string, args ...any) error { return fault.New(fault.Infra, hint, format, args...) }
	switch {
	case status == statusFailed:
		return lacks("give the command, arguments and environment with which it keeps running for the whole window",
			"the profile is failed: the container ended with an exit code other than 0")
	case status == statusTooLarge:
		return lacks("exercise less of the workload, or raise storage's maxApplicationProfileSize and storage.kindQueues.containerprofiles.maxObjectSize by values",
			"the profile is too large for Kubescape's storage, which keeps no more of it")
	case status == statusNoRuntime:
		return lacks("see node-agent's log", "node-agent knows no container runtime on the workload's node")
	case status != statusCompleted:
		return lacks("see node-agent's log", "the profile ended as %s", shown(status, 40))
	case completion == completionPartial:
		return lacks("start the workload after node-agent is ready, keep it running for the whole window, and see node-agent's log for lost events",
			"the profile is partial: node-agent came late or lost events, or the container ended with an exit code other than 0")
	case completion != completionWhole:
		return lacks("see storage's log", "it is not known whether the profile is complete (%s)", shown(completion, 40))
	case len(p.Spec.Execs)+len(p.Spec.Opens) == 0:
		return lacks("see node-agent's log for what stopped its tracers", "the profile is empty: node-agent saw no file in use")
	case strings.TrimSpace(p.Annotations[keyWLID]) == "":
		return lacks("see node-agent's log", "the profile does not name its workload (%s), so that kubevuln cannot be asked", keyWLID)
	}
	return nil
}
