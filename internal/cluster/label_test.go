package cluster

import (
	"os"
	"strings"
	"testing"
)

// Both engines mark what they make alike. They may not import each other, and
// with the other one this test would link for a minute.
func TestLabelIsTheEmbeddedEngines(t *testing.T) {
	source, err := os.ReadFile("../engine/embedded/embedded.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(source), `LabelRun = "`+labelRun+`"`) {
		t.Errorf("the embedded engine's label is not %s", labelRun)
	}
}
