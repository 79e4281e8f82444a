package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/anchore/syft/syft"
	"github.com/anchore/syft/syft/cataloging"
	"github.com/anchore/syft/syft/format/syftjson"
	"github.com/google/go-containerregistry/pkg/name"
	keys "github.com/kubescape/k8s-interface/instanceidhandler/v1/helpers"
	"github.com/kubescape/k8s-interface/names"
	"github.com/kubescape/storage/pkg/apis/softwarecomposition/v1beta1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	_ "modernc.org/sqlite" // rpm databases, when an image has one
)

// nodeNameKey marks an SBOM that is being made, by the node that makes it.
const nodeNameKey = "kubescape.io/node-name"

// syftVersion is the version of the library that this program is built with.
func syftVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == "github.com/anchore/syft" {
				return d.Version
			}
		}
	}
	return "unknown"
}

// postSBOM reserves the image's SBOM, makes it and posts it, unless another
// container has done so.
func (l *life) postSBOM(ctx context.Context) {
	if l.agent.config.faults.sbom == "none" {
		return
	}
	if err := l.makeSBOM(ctx); err != nil {
		log.Printf("%s: %v", l, err)
	}
}

func (l *life) makeSBOM(ctx context.Context) error {
	called, err := names.ImageInfoToSlug(l.who.imageTag, l.who.imageID)
	if err != nil {
		return fmt.Errorf("naming the SBOM: %w", err)
	}
	api, tool := l.agent.clients.Storage.SBOMSyfts(l.agent.config.cluster.Namespace), syftVersion()
	id := normalID(l.who.imageTag, l.who.imageID)
	sbom := &v1beta1.SBOMSyft{ObjectMeta: metav1.ObjectMeta{
		Name: called,
		Annotations: map[string]string{
			keys.ImageIDMetadataKey:     id,
			keys.ImageTagMetadataKey:    l.who.imageTag,
			keys.StatusMetadataKey:      keys.Initializing,
			keys.ToolVersionMetadataKey: tool,
			nodeNameKey:                 l.agent.config.node,
		},
		Labels: imageLabels(id),
	}}
	err = retry(ctx, func() error {
		made, err := api.Create(ctx, sbom, metav1.CreateOptions{})
		if err == nil {
			sbom = made
		}
		return err
	})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reserving SBOM %s: %w", called, err)
	}
	status := keys.Learning
	if fault := l.agent.config.faults.sbom; fault != "" {
		status = fault
	}
	if status == keys.Initializing {
		return nil
	}
	start := time.Now()
	doc, err := l.catalog(ctx, tool)
	if err != nil {
		log.Printf("%s: %v", l, err)
		status = keys.Incomplete
	}
	cataloged := time.Since(start)
	delete(sbom.Annotations, nodeNameKey)
	sbom.Annotations[keys.StatusMetadataKey] = status
	if status == keys.Learning {
		sbom.Spec.Metadata.Report.CreatedAt = sbom.CreationTimestamp
		sbom.Spec.Metadata.Tool = v1beta1.ToolMeta{Name: "syft", Version: tool}
		sbom.Spec.Syft = doc
	}
	err = retry(ctx, func() error {
		_, err := api.Update(ctx, sbom, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		return fmt.Errorf("posting SBOM %s: %w", called, err)
	}
	log.Printf("%s: SBOM %s posted: %s, %d packages in %s", l, called, status, len(doc.Artifacts), cataloged.Round(time.Millisecond))
	return nil
}

// catalog makes the SBOM of the image in the runtime's store, with the
// selection of catalogers and the stripping that node-agent uses.
func (l *life) catalog(ctx context.Context, tool string) (v1beta1.SyftDocument, error) {
	var doc v1beta1.SyftDocument
	dir, err := os.MkdirTemp("", "image-")
	if err != nil {
		return doc, fmt.Errorf("making a directory: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := layout(contentStore, l.who.imageID, dir); err != nil {
		return doc, fmt.Errorf("reading image %s: %w", l.who.imageID, err)
	}
	source, err := syft.GetSource(ctx, dir, syft.DefaultGetSourceConfig().WithSources("oci-dir"))
	if err != nil {
		return doc, fmt.Errorf("reading image %s: %w", l.who.imageID, err)
	}
	defer source.Close()
	config := syft.DefaultCreateSBOMConfig()
	config.ToolName, config.ToolVersion = "syft", tool
	config = config.WithCatalogerSelection(cataloging.NewSelectionRequest().WithRemovals(
		"file-digest-cataloger", "file-metadata-cataloger", "file-executable-cataloger"))
	s, err := syft.CreateSBOM(ctx, source, config)
	if err != nil {
		return doc, fmt.Errorf("cataloging image %s: %w", l.who.imageID, err)
	}
	v1beta1.StripSBOM(s)
	var text bytes.Buffer
	if err := syftjson.NewFormatEncoder().Encode(&text, *s); err != nil {
		return doc, fmt.Errorf("encoding the SBOM: %w", err)
	}
	if err := json.Unmarshal(text.Bytes(), &doc); err != nil {
		return doc, fmt.Errorf("encoding the SBOM: %w", err)
	}
	return doc, nil
}

// normalID is an image's ID with its repository, as node-agent writes it.
func normalID(tag, id string) string {
	if digest, err := name.NewDigest(id); err == nil {
		return digest.String()
	}
	ref, err := name.ParseReference(tag)
	if err != nil {
		return id
	}
	if _, digest, ok := strings.Cut(id, "@"); ok {
		id = digest
	}
	if !strings.HasPrefix(id, "sha256:") {
		id = "sha256:" + id
	}
	return strings.Replace(ref.Context().String(), "index.docker.io", "docker.io", 1) + "@" + id
}

// imageLabels are an SBOM's labels.
func imageLabels(id string) map[string]string {
	repository, _, _ := strings.Cut(id, "@")
	return map[string]string{keys.ImageIDMetadataKey: labelValue(id), keys.ImageNameMetadataKey: labelValue(repository)}
}

func labelValue(s string) string {
	s = strings.NewReplacer("@", "-", ":", "-", "/", "-", ".", "-", "_", "-", " ", "-").Replace(s)
	return strings.TrimRight(s[:min(len(s), 63)], "-")
}
