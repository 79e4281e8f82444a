package objects

import (
	"encoding/json"
	"fmt"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/record"
)

// Raw gives an object as JSON for the record. One that a record does not take
// for its size is an error.
func Raw(object any) ([]byte, error) {
	data, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("encoding Kubescape's object: %w", err)
	}
	if len(data) > record.RawLimit {
		return nil, fault.New(fault.Infra, "split the image, or lower storage's maxObjectSize of it by values",
			"keeping Kubescape's object: it has %d bytes, a record takes %d", len(data), record.RawLimit)
	}
	return data, nil
}
