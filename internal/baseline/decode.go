package baseline

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/jsonlist"
	"github.com/vexxy/action/internal/judge"
)

// statements, images and aliases are lists that are read item by item, so that
// a small text cannot fill the memory with empty items.
type (
	statements []Statement
	images     []entry
	aliases    []string
)

func (s *statements) UnmarshalJSON(data []byte) error {
	return jsonlist.Each(data, maxStatements, func(d *json.Decoder) error {
		var one struct {
			Statement
			Aliases aliases `json:"aliases"`
		}
		if err := d.Decode(&one); err != nil {
			return err
		}
		one.Statement.Aliases = one.Aliases
		if err := one.Statement.check(); err != nil {
			return fmt.Errorf("statement %d: %w", len(*s)+1, err)
		}
		*s = append(*s, one.Statement)
		return nil
	})
}

func (i *images) UnmarshalJSON(data []byte) error {
	return jsonlist.Each(data, maxImages, func(d *json.Decoder) error {
		var one entry
		if err := d.Decode(&one); err != nil {
			return err
		}
		if len(one.Requested) > maxText || len(one.Digest) > maxText {
			return fmt.Errorf("image %d has a string of more than %d bytes", len(*i)+1, maxText)
		}
		*i = append(*i, one)
		return nil
	})
}

func (a *aliases) UnmarshalJSON(data []byte) error {
	return jsonlist.Each(data, maxAliases, func(d *json.Decoder) error {
		var one string
		if err := d.Decode(&one); err != nil {
			return err
		}
		*a = append(*a, one)
		return nil
	})
}

// check refuses what no run of vexxy writes, and cuts nothing: half a name
// would be another name.
func (s *Statement) check() error {
	statuses := []judge.Status{judge.Affected, judge.UnderInvestigation, judge.NotAffected, judge.Fixed}
	switch {
	case s.Vulnerability == "":
		return fmt.Errorf("it names no vulnerability")
	case s.Package == "" && s.PURL == "":
		return fmt.Errorf("it names no package")
	case !slices.Contains(statuses, s.Status):
		return fmt.Errorf("its status %.40q is not known", s.Status)
	}
	for _, text := range append([]string{s.Vulnerability, s.PURL, s.Package, s.Version, s.Type}, s.Aliases...) {
		if len(text) > maxText {
			return fmt.Errorf("a string in it has %d bytes, at most %d are allowed", len(text), maxText)
		}
	}
	if !slices.Contains(inventory.Severities, s.Severity) {
		s.Severity = inventory.Unknown
	}
	return nil
}
