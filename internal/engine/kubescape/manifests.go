package kubescape

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
)

// Bounds of manifests: bytes of a file, files, and objects of all files.
const (
	maxManifest  = 8 << 20
	maxManifests = 500
	maxObjects   = 2000
)

const manifestHint = "name files of Kubernetes manifests in YAML or JSON, or folders of them"

// readManifests reads files, and those of folders by name, in YAML or JSON.
func readManifests(paths []string) ([]*unstructured.Unstructured, error) {
	unfit := func(err error) error { return fault.New(fault.Usage, manifestHint, "reading manifests: %w", err) }
	var files []string
	for _, p := range paths {
		found, err := manifestsAt(p)
		if err != nil {
			return nil, unfit(err)
		}
		files = append(files, found...)
	}
	if len(files) > maxManifests {
		return nil, unfit(fmt.Errorf("there are more than %d files", maxManifests))
	}
	var all []*unstructured.Unstructured
	for _, file := range files {
		objects, err := readManifest(file)
		if err != nil {
			return nil, err
		}
		if all = append(all, objects...); len(all) > maxObjects {
			return nil, unfit(fmt.Errorf("there are more than %d objects", maxObjects))
		}
	}
	if len(all) == 0 {
		return nil, unfit(errors.New("there is no object in them"))
	}
	return all, nil
}

// manifestsAt gives a file, or the files of a folder that are named like
// manifests, the folders in it included.
func manifestsAt(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, err
	}
	var files []string
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(p)) {
			files = append(files, p)
		}
		return err
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("folder %s has no *.yaml, *.yml or *.json", path)
	}
	return files, err
}

func readManifest(file string) ([]*unstructured.Unstructured, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fault.New(fault.Usage, manifestHint, "reading manifests: %w", err)
	}
	defer f.Close()
	return decode(f, file)
}

// decode reads documents of YAML or JSON; lists are taken apart.
func decode(r io.Reader, from string) ([]*unstructured.Unstructured, error) {
	unfit := func(format string, args ...any) error {
		return fault.New(fault.Usage, manifestHint, "reading "+from+": "+format, args...)
	}
	limited := &io.LimitedReader{R: r, N: maxManifest + 1}
	d := yaml.NewYAMLOrJSONDecoder(limited, 4096)
	var all []*unstructured.Unstructured
	for n := 1; ; n++ {
		var raw map[string]any
		err := d.Decode(&raw)
		if limited.N <= 0 {
			return nil, unfit("it has more than %d bytes", maxManifest)
		}
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, unfit("document %d: %s", n, foreign.Text(err.Error()).Line(300))
		}
		if len(raw) == 0 {
			continue
		}
		add := func(o *unstructured.Unstructured) error {
			if o.GetKind() == "" || o.GetAPIVersion() == "" || o.GetName() == "" && o.GetGenerateName() == "" {
				return fmt.Errorf("document %d is no object of Kubernetes: it needs apiVersion, kind and metadata.name", n)
			}
			all = append(all, o)
			return nil
		}
		o := &unstructured.Unstructured{Object: raw}
		if o.IsList() {
			err = o.EachListItem(func(item runtime.Object) error { return add(item.(*unstructured.Unstructured)) })
		} else {
			err = add(o)
		}
		if err == nil && len(all) > maxObjects {
			err = fmt.Errorf("it has more than %d objects", maxObjects)
		}
		if err != nil {
			return nil, unfit("%s", foreign.Text(err.Error()).Line(300))
		}
	}
}

// encode writes objects as documents of YAML.
func encode(objects []*unstructured.Unstructured) (*bytes.Buffer, error) {
	var out bytes.Buffer
	for _, o := range objects {
		raw, err := o.MarshalJSON() // which is YAML
		if err != nil {
			return nil, fmt.Errorf("writing %s: %w", titleOf(o), err)
		}
		fmt.Fprintf(&out, "---\n%s\n", raw)
	}
	return &out, nil
}

// titleOf names an object in words.
func titleOf(o *unstructured.Unstructured) string {
	return foreign.Text(o.GetKind() + " " + o.GetName()).Line(150)
}
