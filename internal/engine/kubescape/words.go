package kubescape

import (
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// isMissing reports whether the API server knows no such object.
func isMissing(err error) bool { return apierrors.IsNotFound(err) }

// imageOf reports whether annotations name one of an image's names. The agent
// writes docker.io/x for x, and index.docker.io in its IDs.
func imageOf(annotations map[string]string, names []string) bool {
	tag, id := plain(annotations[markImageTag]), plain(annotations[markImageID])
	return slices.ContainsFunc(names, func(name string) bool {
		name = plain(name)
		return name != "" && (name == tag || name == id)
	})
}

// plain takes off what different programs put before an image's name.
func plain(name string) string {
	for _, prefix := range []string{"docker-pullable://", "index.docker.io/", "docker.io/", "library/"} {
		name = strings.TrimPrefix(name, prefix)
	}
	return name
}

// profileWords say what a profile's state means, and what to do, where it is
// worth nothing.
func profileWords(status, completion string) string {
	switch {
	case status == "completed" && completion == "complete":
		return ""
	case status == "failed":
		return "node-agent calls the profile failed: the container ended with another code than 0; let it run for the whole window"
	case status == "too-large":
		return "the profile is too large for the storage: raise storage.kindQueues.containerprofiles.maxObjectSize by values"
	case completion == "partial":
		return "the profile is partial: node-agent came late, or lost events; run again, with less beside it on the node"
	}
	return "the profile is not finished"
}
