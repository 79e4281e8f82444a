package sarif_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/vexxy/action/internal/report/sarif"
)

func must(t testing.TB) func(sarif.Document, error) sarif.Document {
	return func(d sarif.Document, err error) sarif.Document {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
}

// schema is the standard's own.
func schema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	data, err := os.ReadFile("../../../testdata/schemas/sarif-2.1.0.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("sarif.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("sarif.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func valid(t testing.TB, s *jsonschema.Schema, data []byte) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%v: %.300s", err, data)
	}
	return s.Validate(doc)
}

// log is what the tests read back.
type log struct {
	Runs []struct {
		Tool struct {
			Driver struct {
				Rules []struct {
					ID, HelpURI                       string
					Help                              struct{ Text, Markdown string }
					ShortDescription, FullDescription struct{ Text string }
					Properties                        map[string]any
					DefaultConfiguration              struct{ Level string }
				}
			}
		}
		AutomationDetails struct{ ID string }
		Invocations       []struct {
			ExecutionSuccessful        bool
			ToolExecutionNotifications []struct {
				Level   string
				Message struct{ Text string }
			}
		}
		Results []struct {
			RuleID, Level string
			RuleIndex     int
			Message       struct{ Text string }
			Locations     []struct {
				PhysicalLocation struct {
					ArtifactLocation struct{ URI string }
					Region           struct{ StartLine int }
				}
			}
			PartialFingerprints map[string]string
			Suppressions        []struct{ Status, Justification string }
			Properties          map[string]any
		}
	}
}

func read(t testing.TB, d sarif.Document) log {
	t.Helper()
	var l log
	if err := json.Unmarshal(d.Data, &l); err != nil {
		t.Fatal(err)
	}
	if len(l.Runs) != 1 || len(l.Runs[0].Results) != d.Results {
		t.Fatalf("%d runs, %d results said", len(l.Runs), d.Results)
	}
	return l
}
