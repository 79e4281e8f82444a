package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
)

// The bounds of a support bundle, and the namespaces that it is about.
const (
	supportTimeout = 60 * time.Second
	maxFile        = 2 << 20
	maxBundle      = 64 << 20
	logLines       = 2000
)

var supported = []string{"kubescape", "vexxy-sandbox", system}

// Support writes a support bundle into a folder: the nodes, everything in the
// namespaces of the run and of Kubernetes itself as JSON, the logs of their
// containers, and of the nodes of an own cluster. The data of Secrets is left
// out, and redact goes over each file. What could not be had is said in
// errors.txt, and is an error only if the bundle could not be written.
func (c *Cluster) Support(ctx context.Context, dir string, redact func(string) string) error {
	if redact == nil {
		redact = func(s string) string { return s }
	}
	b := &bundle{dir: dir, redact: redact, room: maxBundle}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("writing support bundle: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, supportTimeout, fmt.Errorf("collecting took longer than %s", supportTimeout))
	defer cancel()
	if c.Client != nil {
		c.objects(ctx, b)
		c.podLogs(ctx, b)
	}
	if c.Own {
		c.nodeLogs(ctx, b)
	}
	if len(b.missed) > 0 {
		b.write("errors.txt", []byte(strings.Join(b.missed, "\n")+"\n"))
	}
	if b.err != nil {
		return fmt.Errorf("writing support bundle: %w", b.err)
	}
	return nil
}

// bundle is a folder of bounded files.
type bundle struct {
	dir    string
	redact func(string) string
	room   int
	missed []string
	err    error
}

// miss notes what could not be had.
func (b *bundle) miss(what string, err error) {
	if err != nil && len(b.missed) < 200 {
		b.missed = append(b.missed, what+": "+b.redact(err.Error()))
	}
}

// write writes one file. Of too long a text the end is kept: it is the end of
// a log that tells. No name leads out of the folder.
func (b *bundle) write(name string, data []byte) {
	data = []byte(b.redact(string(data))) // before the cut, which could leave half a secret
	if len(data) > maxFile {
		data = append([]byte("[…]\n"), data[len(data)-maxFile:]...)
	}
	if len(data) > b.room {
		b.miss(name, errors.New("the bundle is full"))
		return
	}
	b.room -= len(data)
	path := filepath.Join(b.dir, filepath.Clean("/"+name))
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if b.err == nil {
		b.err = err
	}
}

// objects writes everything that the API server can list in the namespaces.
func (c *Cluster) objects(ctx context.Context, b *bundle) {
	get := func(path, name string) {
		raw, err := c.Client.Discovery().RESTClient().Get().AbsPath(path).DoRaw(ctx)
		if err == nil {
			raw, err = tidy(raw)
		}
		if err != nil {
			b.miss(name, err)
			return
		}
		if raw != nil {
			b.write(name, raw)
		}
	}
	get("/version", "version.json")
	get("/api/v1/nodes", "nodes.json")
	get("/api/v1/namespaces", "namespaces.json")
	get("/apis/apiregistration.k8s.io/v1/apiservices", "apiservices.json")
	lists, err := discovery.ServerPreferredNamespacedResources(c.Client.Discovery())
	b.miss("discovery", err) // the rest is there nonetheless
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		root := "/apis/" + list.GroupVersion
		if gv.Group == "" {
			root = "/api/" + gv.Version
		}
		for _, r := range list.APIResources {
			if !slices.Contains(r.Verbs, "list") || strings.Contains(r.Name, "/") || gv.Group == "" && r.Name == "events" {
				continue
			}
			for _, ns := range supported {
				get(root+"/namespaces/"+ns+"/"+r.Name, filepath.Join(ns, r.Name+".json"))
			}
		}
	}
}

// tidy takes out of a list what nobody reads and what nobody may, and gives
// nil for an empty one.
func tidy(raw []byte) ([]byte, error) {
	var all map[string]any
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, err
	}
	items, listed := all["items"].([]any)
	if listed && len(items) == 0 {
		return nil, nil
	}
	kind, _ := all["kind"].(string)
	for _, i := range items {
		item, _ := i.(map[string]any)
		if meta, found := item["metadata"].(map[string]any); found {
			delete(meta, "managedFields")
			if annotations, found := meta["annotations"].(map[string]any); found {
				delete(annotations, corev1.LastAppliedConfigAnnotation) // a copy of it all
			}
			if kind == "SecretList" {
				delete(meta, "annotations")
			}
		}
		blankEnvironments(item)
		if kind == "SecretList" {
			for _, field := range []string{"data", "stringData"} {
				if data, found := item[field].(map[string]any); found {
					for key := range data {
						data[key] = leftOut
					}
				}
			}
		}
	}
	return json.MarshalIndent(all, "", " ")
}

// leftOut stands for a value that may be a secret.
const leftOut = "left out"

// blankEnvironments blanks the values of the environments of all containers,
// and of the programs in profiles, within a JSON value.
func blankEnvironments(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			blankEnvironments(item)
		}
	case map[string]any:
		for key, field := range v {
			list, listed := field.([]any)
			if !listed || key != "env" && key != "envs" {
				blankEnvironments(field)
				continue
			}
			for i, item := range list {
				if variable, ok := item.(map[string]any); ok && variable["value"] != nil {
					variable["value"] = leftOut
				} else if text, ok := item.(string); ok {
					name, _, _ := strings.Cut(text, "=")
					list[i] = name + "=" + leftOut
				}
			}
		}
	}
}

// podLogs writes the logs of all containers, and of the lives before of those
// that were restarted.
func (c *Cluster) podLogs(ctx context.Context, b *bundle) {
	for _, ns := range supported {
		pods, err := c.Client.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{})
		if err != nil {
			b.miss("pods of "+ns, err)
			continue
		}
		for _, p := range pods.Items {
			for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
				c.podLog(ctx, b, p, s.Name, false)
				if s.RestartCount > 0 {
					c.podLog(ctx, b, p, s.Name, true)
				}
			}
		}
	}
}

func (c *Cluster) podLog(ctx context.Context, b *bundle, p corev1.Pod, container string, previous bool) {
	lines, bytes := int64(logLines), int64(maxFile)
	raw, err := c.Client.CoreV1().Pods(p.Namespace).GetLogs(p.Name, &corev1.PodLogOptions{
		Container: container, Previous: previous, TailLines: &lines, LimitBytes: &bytes, Timestamps: true,
	}).DoRaw(ctx)
	name := filepath.Join(p.Namespace, "logs", p.Name+"."+container)
	if previous {
		name += ".previous"
	}
	if err != nil {
		b.miss(name+".log", err)
		return
	}
	b.write(name+".log", raw)
}

// readEnd reads the last bytes of a file that a bundle keeps.
func readEnd(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if over := info.Size() - maxFile - 1; over > 0 {
		if _, err := f.Seek(over, io.SeekStart); err != nil {
			return nil, err
		}
	}
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}
