package embedded

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

// Leftover is something on the Docker engine that a run made.
type Leftover struct {
	Kind string // container, network or image
	ID   string
	Name string
	// Run is the ID of the run that made it.
	Run string
}

// Leftovers lists everything on the engine that carries vexxy's ownership:
// containers and networks by their labels, loaded images by their name.
func Leftovers(ctx context.Context, docker *client.Client) ([]Leftover, error) {
	var all []Leftover
	labelled := client.Filters{}.Add("label", LabelRun)
	containers, err := docker.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: labelled})
	if err != nil {
		return nil, infra(err, "listing containers")
	}
	for _, c := range containers.Items {
		all = append(all, Leftover{
			Kind: "container", ID: c.ID, Name: strings.TrimPrefix(strings.Join(c.Names, " "), "/"),
			Run: c.Labels[LabelRun],
		})
	}
	networks, err := docker.NetworkList(ctx, client.NetworkListOptions{Filters: labelled})
	if err != nil {
		return nil, infra(err, "listing networks")
	}
	for _, n := range networks.Items {
		all = append(all, Leftover{Kind: "network", ID: n.ID, Name: n.Name, Run: n.Labels[LabelRun]})
	}
	images, err := docker.ImageList(ctx, client.ImageListOptions{
		Filters: client.Filters{}.Add("reference", imageHost+"/*"),
	})
	if err != nil {
		return nil, infra(err, "listing images")
	}
	for _, i := range images.Items {
		for _, tag := range i.RepoTags {
			run, _, _ := strings.Cut(strings.TrimPrefix(tag, imageHost+"/"), ":")
			all = append(all, Leftover{Kind: "image", ID: tag, Name: tag, Run: run})
		}
	}
	return all, nil
}

// Remove takes one leftover away. One that is gone already is no error.
func Remove(ctx context.Context, docker *client.Client, l Leftover) error {
	var err error
	switch l.Kind {
	case "container":
		err = removeContainer(ctx, docker, l.ID)
	case "network":
		_, err = docker.NetworkRemove(ctx, l.ID, client.NetworkRemoveOptions{})
	case "image":
		_, err = docker.ImageRemove(ctx, l.ID, client.ImageRemoveOptions{PruneChildren: true})
	default:
		return errors.New("unknown kind " + l.Kind)
	}
	if err != nil && !cerrdefs.IsNotFound(err) {
		return fmt.Errorf("removing %s %s: %w", l.Kind, l.Name, err)
	}
	return nil
}

// removalTimeout is how long a removal may take that somebody else has begun,
// removalPause the time between looks at it.
const (
	removalTimeout = 30 * time.Second
	removalPause   = 100 * time.Millisecond
)

// removeContainer takes a container away, with its volumes. One that the engine
// is about to remove for somebody else, such as a run that was killed while it
// did so, is waited for. One that is gone already is no error.
func removeContainer(ctx context.Context, docker *client.Client, id string) error {
	remove := func() error {
		_, err := docker.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		if cerrdefs.IsNotFound(err) {
			return nil
		}
		return err
	}
	err := remove()
	for end := time.Now().Add(removalTimeout); cerrdefs.IsConflict(err); err = remove() {
		if time.Now().After(end) {
			return fmt.Errorf("not over after %s: %w", removalTimeout, err)
		}
		select {
		case <-time.After(removalPause):
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
	return err
}
