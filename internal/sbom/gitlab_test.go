package sbom_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/vexxy/action/internal/sbom"
)

// The report is valid by the standard's own schema, has all properties that
// GitLab asks for once, and the components of the document that it is made of.
func TestForGitLab(t *testing.T) {
	r, observed := recorded(t)
	r.Subject.Repository, r.Subject.Tag, r.Inventory.Distro = "localhost:5000/team/app", "v1", "debian 12"
	whole := documents(t, r, observed)[sbom.CycloneDX]
	data, err := sbom.ForGitLab(whole, r)
	if err != nil {
		t.Fatal(err)
	}
	schema := schema(t, "github.com/CycloneDX/cyclonedx-go", "schema/bom-1.6.schema.json", map[string]string{
		"http://cyclonedx.org/schema/spdx.schema.json":     "schema/spdx.schema.json",
		"http://cyclonedx.org/schema/jsf-0.82.schema.json": "schema/jsf-0.82.schemax.json",
	})
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Error(err)
	}
	type bom struct {
		BomFormat, SpecVersion, SerialNumber string
		Metadata                             struct {
			Timestamp  string
			Properties []struct{ Name, Value string }
		}
		Components []struct{ Type, Name, Version, PURL string }
	}
	var got, from bom
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(whole, &from); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"gitlab:meta:schema_version": "1", "gitlab:container_scanning:image:name": "localhost:5000/team/app", "gitlab:container_scanning:image:tag": "v1",
		"gitlab:container_scanning:operating_system:name": "debian", "gitlab:container_scanning:operating_system:version": "12",
	}
	for _, p := range got.Metadata.Properties {
		if value, ok := want[p.Name]; ok && value == p.Value {
			delete(want, p.Name)
		} else if strings.HasPrefix(p.Name, "gitlab:") {
			t.Errorf("%s is %q", p.Name, p.Value)
		}
	}
	if len(want) != 0 || got.BomFormat != "CycloneDX" || got.SpecVersion != "1.6" || got.SerialNumber != from.SerialNumber || len(got.Components) != len(from.Components) || len(got.Components) == 0 {
		t.Errorf("it lacks %v: %+v", want, got)
	}
	for i, c := range got.Components {
		if c != from.Components[i] || c.Name == "" || c.Type == "" {
			t.Errorf("component %d is %+v, was %+v", i, c, from.Components[i])
		}
	}
}

// What is not known has a value all the same, and properties of GitLab's that
// the document brings are none.
func TestForGitLabWithoutNames(t *testing.T) {
	r, observed := recorded(t)
	whole := documents(t, r, observed)[sbom.CycloneDX]
	r.Subject.Repository, r.Subject.Requested, r.Subject.Tag, r.Inventory.Distro = "", "", "", ""
	forged := bytes.Replace(whole, []byte(`"vexxy:run-id"`), []byte(`"gitlab:container_scanning:image:name"`), 1)
	if bytes.Equal(forged, whole) {
		t.Fatal("nothing was forged")
	}
	data, err := sbom.ForGitLab(forged, r)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"image:name": "unknown", "image:tag": r.Subject.Digest(), "operating_system:name": "unknown", "operating_system:version": "unknown"} {
		if n := bytes.Count(data, []byte(`"gitlab:container_scanning:`+name+`"`)); n != 1 || !bytes.Contains(data, []byte(`{"name":"gitlab:container_scanning:`+name+`","value":"`+value+`"}`)) {
			t.Errorf("%s stands there %d times", name, n)
		}
	}
	for _, bad := range []string{"", "{", `{"bomFormat":"CycloneDX"}`, "[]"} {
		if _, err := sbom.ForGitLab([]byte(bad), r); err == nil {
			t.Errorf("%q is an SBOM", bad)
		}
	}
}
