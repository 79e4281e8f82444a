package objects

import (
	"encoding/json"
	"net/url"
	"time"

	"github.com/kubescape/storage/pkg/apis/softwarecomposition/v1beta1"

	"github.com/vexxy/action/internal/inventory"
)

// Matcher is what kubevuln matched with.
type Matcher struct {
	// Grype is the version of its library and its mode, such as
	// v0.99.1-matching-adaptive.
	Grype string
	// Version is kubevuln's own name of the database: the archive's SHA-256, or
	// "manual import" of any that was mounted, whatever its contents are.
	Version  string
	Database inventory.Database
}

// Database tells what kubevuln made a list of vulnerabilities with. What it
// does not tell stays empty.
func Database(m *v1beta1.VulnerabilityManifest) Matcher {
	var status struct {
		Built         json.RawMessage `json:"built"`
		SchemaVersion json.RawMessage `json:"schemaVersion"`
		From          string          `json:"from"`
	}
	// Half of a status is better than none: errors leave the fields empty.
	_ = json.Unmarshal(m.Spec.Payload.Descriptor_.VulnerabilityDBStatus, &status)
	tool := &m.Spec.Metadata.Tool
	got := Matcher{Grype: text(tool.Version), Version: text(tool.DatabaseVersion)}
	var built time.Time
	if json.Unmarshal(status.Built, &built) == nil {
		if built = built.UTC(); built.Year() > 1 && built.Year() < 10_000 { // beyond them JSON has no time
			got.Database.Built = built
		}
	}
	var schema string
	if json.Unmarshal(status.SchemaVersion, &schema) == nil {
		got.Database.Schema = text(schema)
	}
	got.Database.From, got.Database.Digest = text(status.From), got.Version
	if u, err := url.Parse(status.From); err == nil && u.Query().Get("checksum") != "" {
		got.Database.Digest = text(u.Query().Get("checksum"))
	}
	return got
}
