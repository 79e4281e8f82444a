package sbom_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/vexxy/action/internal/sbom"
)

// schema compiles an official schema out of the module that ships it.
func schema(t *testing.T, module, file string, refs map[string]string) *jsonschema.Schema {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := strings.TrimSpace(string(out))
	c := jsonschema.NewCompiler()
	add := func(url, file string) {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource(url, doc); err != nil {
			t.Fatal(err)
		}
	}
	for url, ref := range refs {
		add(url, ref)
	}
	add("http://test/"+filepath.Base(file), file)
	compiled, err := c.Compile("http://test/" + filepath.Base(file))
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// The documents are valid by the standards' own schemas.
func TestSchemas(t *testing.T) {
	r, observed := recorded(t)
	docs := documents(t, r, observed)
	spdx := schema(t, "github.com/anchore/syft", "schema/spdx-json/spdx-schema-2.3.json", nil)
	cdx := schema(t, "github.com/CycloneDX/cyclonedx-go", "schema/bom-1.6.schema.json", map[string]string{
		"http://cyclonedx.org/schema/spdx.schema.json":     "schema/spdx.schema.json",
		"http://cyclonedx.org/schema/jsf-0.82.schema.json": "schema/jsf-0.82.schemax.json",
	})
	for name, s := range map[string]*jsonschema.Schema{sbom.SPDX: spdx, sbom.RuntimeSPDX: spdx, sbom.CycloneDX: cdx, sbom.RuntimeCycloneDX: cdx} {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(docs[name]))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		delete(doc.(map[string]any), "specVersion")
		delete(doc.(map[string]any), "spdxVersion")
		if s.Validate(doc) == nil {
			t.Errorf("%s: the schema accepts a document without a version", name)
		}
	}
}
