package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/subject"
)

// daemon is a local engine that holds archives by name.
type daemon struct {
	images map[string]ImageInfo
	saves  map[string][]byte
	err    error
}

func (d daemon) Inspect(_ context.Context, ref string) (ImageInfo, error) {
	if info, ok := d.images[ref]; ok || d.err != nil {
		return info, d.err
	}
	return ImageInfo{}, fmt.Errorf("inspecting: %w", ErrNoImage)
}

func (d daemon) Save(_ context.Context, id string) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(d.saves[id])), nil
}

func TestDaemon(t *testing.T) {
	image := imageOf(t, here, "a", "b")
	id := configDigestOf(t, image)
	host := serve(t, nil)
	push(t, host+"/both:1", image)
	info := ImageInfo{ID: id, RepoTags: []string{"app:1"}}
	o := Options{Daemon: daemon{
		images: map[string]ImageInfo{"app:1": info, id: info, id[7:19]: info, host + "/only:1": info, host + "/both:1": info, "registry.invalid/app:1": info},
		saves:  map[string][]byte{id: dockerSave(t, image, `["app:1"]`)},
	}}
	for ref, want := range map[string][2]string{
		"docker-daemon:app:1": {"app", "1"}, id: {"app", "1"}, id[7:19]: {"app", "1"},
		host + "/only:1": {host + "/only", "1"}, "registry.invalid/app:1": {"registry.invalid/app", "1"},
	} {
		got := resolved(t, ref, o)
		if !got.Local() || got.Source != subject.SourceDaemon || got.Loaded != id || got.Pull != "" || got.ConfigDigest != id || [2]string{got.Repository, got.Tag} != want {
			t.Errorf("%s is %+v", ref, got)
		}
		if texts := layerTexts(t, got.Image); !slices.Equal(texts, []string{"a", "b"}) {
			t.Errorf("%s has the layers %q", ref, texts)
		}
	}
	if got := resolved(t, host+"/both:1", o); got.Source != subject.SourceRegistry {
		t.Errorf("held by both it is from the %s", got.Source)
	}
	// Where the registry was named, or a digest, the engine is not asked.
	only := host + "/only"
	_, err := attempt(t, "registry:"+only+":1", o)
	refused(t, err, fault.Usage)
	pinned := o
	pinned.WantDigest = "sha256:" + strings.Repeat("0", 64)
	_, err = attempt(t, only+":1", pinned)
	refused(t, err, fault.Usage)
	_, err = attempt(t, only+"@"+pinned.WantDigest, o)
	refused(t, err, fault.Usage)

	_, err = attempt(t, "docker-daemon:nothing", o)
	refused(t, err, fault.Usage, "docker image ls")
	_, err = attempt(t, "docker-daemon:nothing", Options{})
	refused(t, err, fault.Infra, "no local engine")
	_, err = attempt(t, "docker-daemon:nothing", Options{Daemon: daemon{err: errors.New("\x1b[31mdown")}})
	refused(t, err, fault.Infra, "docker info")
	_, err = attempt(t, "docker-daemon:app:1", Options{Daemon: daemon{images: map[string]ImageInfo{"app:1": info}}})
	refused(t, err, fault.Usage)

	// The engine saves another image than the one it described.
	other := ImageInfo{ID: "sha256:" + strings.Repeat("a", 64)}
	_, err = attempt(t, "docker-daemon:app:1", Options{Daemon: daemon{
		images: map[string]ImageInfo{"app:1": other}, saves: map[string][]byte{other.ID: dockerSave(t, image, `[]`)},
	}})
	refused(t, err, fault.Integrity, other.ID)
}
