package kubescape

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/kubescape/storage/pkg/apis/softwarecomposition/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
)

// needed are the capabilities, as the chart's values call them, without which
// there is no evidence.
var needed = []string{"relevancy", "vulnerabilityScan", "nodeSbomGeneration", "vexGeneration"}

// home gives the namespace whose service serves Kubescape's API, empty when
// the cluster has no such API.
func (e *Engine) home(ctx context.Context) (string, error) {
	raw, err := e.cluster.Client.Discovery().RESTClient().Get().AbsPath("/apis/apiregistration.k8s.io/v1/apiservices/" + apiService).DoRaw(ctx)
	if isMissing(err) {
		return "", nil
	}
	if err != nil {
		return "", fault.New(fault.Infra, "", "looking for Kubescape: %w", err)
	}
	var s struct {
		Spec struct {
			Service struct{ Namespace string } `json:"service"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", fault.New(fault.Infra, "", "looking for Kubescape: reading its APIService: %w", err)
	}
	if s.Spec.Service.Namespace == "" {
		return "", fault.New(fault.Infra, "remove the APIService "+apiService+", or install Kubescape anew", "looking for Kubescape: its APIService names no service")
	}
	return s.Spec.Service.Namespace, nil
}

// fit reports by an error that the Kubescape in a namespace cannot do what a
// run needs. One that another run is just installing may come yet.
func (e *Engine) fit(ctx context.Context, home string, coming bool) error {
	k := &e.kubescape
	k.namespace, k.found = home, true
	unfit := func(hint, format string, args ...any) error {
		return fault.New(fault.Infra, hint, "using the Kubescape in namespace "+home+": "+format, args...)
	}
	if !coming {
		absent, err := e.absent(ctx)
		if err != nil {
			return unfit("", "%w", err)
		}
		if len(absent) > 0 {
			return unfit("upgrade Kubescape's operator chart with the capabilities "+strings.Join(needed, ", ")+"; without Kubescape the run brings its own",
				"it has no %s", strings.Join(absent, ", no "))
		}
	}
	if err := e.ready(ctx, slices.Concat(watchers, matchers)...); err != nil {
		return unfit(fault.HintOf(err)+"; or uninstall it: then the run brings its own", "%w", err)
	}
	unserved, err := e.unserved(ctx)
	if err != nil {
		return unfit("", "%w", err)
	}
	if len(unserved) > 0 {
		return unfit("upgrade Kubescape's operator chart; without Kubescape the run brings its own",
			"its storage serves no %s: it is of another version", strings.Join(unserved, ", no "))
	}
	deployments, err := e.cluster.Client.AppsV1().Deployments(home).List(ctx, metav1.ListOptions{LabelSelector: component})
	if err != nil {
		return unfit("", "%w", err)
	}
	for _, d := range deployments.Items {
		if k.chart == "" {
			k.chart = chartVersion(d.Labels, d.Spec.Template.Labels)
		}
	}
	capabilities, err := e.configured(ctx, "ks-capabilities", "capabilities")
	if err != nil {
		return unfit("upgrade Kubescape's operator chart", "%w", err)
	}
	missing, err := disabled(capabilities)
	if err != nil {
		return unfit("upgrade Kubescape's operator chart", "%w", err)
	}
	if len(missing) > 0 {
		return unfit("upgrade its release with --set "+strings.Join(missing, ","), "it does not have these values: %s", strings.Join(missing, ", "))
	}
	for _, name := range []string{"node-agent", "operator"} {
		config, err := e.configured(ctx, name, "config.json")
		if isMissing(err) {
			continue
		}
		if err != nil {
			return unfit("", "%w", err)
		}
		if words := excluded(config); words != "" {
			return unfit("upgrade its release with --set includeNamespaces= or with "+Sandbox+" in it", "its %s leaves namespace %s out: %s", name, Sandbox, words)
		}
	}
	return nil
}

// read are the kinds, as the API spells them, that a run reads of Kubescape.
// Which of them its storage serves tells more of it than a version does, which
// whoever builds it is free to choose.
var read = []string{"containerprofiles", "sbomsyfts", "vulnerabilitymanifests", "openvulnerabilityexchangecontainers"}

// unserved lists the kinds that Kubescape's API does not have.
func (e *Engine) unserved(ctx context.Context) ([]string, error) {
	raw, err := e.cluster.Client.Discovery().RESTClient().Get().AbsPath("/apis/" + v1beta1.SchemeGroupVersion.String()).DoRaw(ctx)
	if err != nil && !isMissing(err) {
		return nil, fmt.Errorf("asking what its API serves: %w", err)
	}
	var list metav1.APIResourceList
	if err == nil {
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, fmt.Errorf("reading what its API serves: %w", err)
		}
	}
	return slices.DeleteFunc(slices.Clone(read), func(kind string) bool {
		return slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Name == kind })
	}), nil
}

// absent lists the components that are not there at all.
func (e *Engine) absent(ctx context.Context) ([]string, error) {
	var absent []string
	for _, name := range []string{"storage", "kubevuln", "operator"} {
		list, err := e.cluster.Client.AppsV1().Deployments(e.kubescape.namespace).List(ctx, metav1.ListOptions{LabelSelector: component + "=" + name})
		if err != nil {
			return nil, err
		}
		if len(list.Items) == 0 {
			absent = append(absent, name)
		}
	}
	list, err := e.cluster.Client.AppsV1().DaemonSets(e.kubescape.namespace).List(ctx, metav1.ListOptions{LabelSelector: component + "=node-agent"})
	if err == nil && len(list.Items) == 0 {
		absent = append(absent, "node-agent")
	}
	return absent, err
}

// configured reads a document of Kubescape's configuration.
func (e *Engine) configured(ctx context.Context, name, key string) (string, error) {
	m, err := e.cluster.Client.CoreV1().ConfigMaps(e.kubescape.namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("reading its configuration: %w", err)
	}
	return m.Data[key], nil
}

// disabled gives the Helm values, NAME=VALUE, of the needed capabilities that
// a document of the chart's does not enable.
func disabled(document string) ([]string, error) {
	var d struct {
		Capabilities map[string]any `json:"capabilities"`
	}
	if err := json.Unmarshal([]byte(document), &d); err != nil {
		return nil, fmt.Errorf("reading its capabilities: %w", err)
	}
	var missing []string
	for _, name := range needed {
		if d.Capabilities[name] != "enable" {
			missing = append(missing, "capabilities."+name+"=enable")
		}
	}
	return missing, nil
}

// excluded says by which setting a component's configuration leaves the
// sandbox out, empty when it does not. Lists are JSON lists, or text with
// commas, as the chart's version has it.
func excluded(document string) string {
	var d struct{ IncludeNamespaces, ExcludeNamespaces any }
	if json.Unmarshal([]byte(document), &d) != nil {
		return ""
	}
	if in := namesOf(d.IncludeNamespaces); len(in) > 0 && !slices.Contains(in, Sandbox) {
		return "includeNamespaces is " + foreign.Text(strings.Join(in, ",")).Line(200)
	}
	if slices.Contains(namesOf(d.ExcludeNamespaces), Sandbox) {
		return "excludeNamespaces has it"
	}
	return ""
}

func namesOf(list any) []string {
	var names []string
	add := func(s string) {
		if s = strings.TrimSpace(s); s != "" {
			names = append(names, s)
		}
	}
	switch l := list.(type) {
	case string:
		for s := range strings.SplitSeq(l, ",") {
			add(s)
		}
	case []any:
		for _, v := range l {
			if s, ok := v.(string); ok {
				add(s)
			}
		}
	}
	return names
}

// chartVersion reads the chart's version from the label that Helm's charts put
// on what they make, NAME-VERSION.
func chartVersion(labels ...map[string]string) string {
	for _, l := range labels {
		if v, found := strings.CutPrefix(l["helm.sh/chart"], "kubescape-operator-"); found {
			return text(v)
		}
	}
	return ""
}
