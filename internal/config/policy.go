package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/inventory"
)

// noSeverity is the value of fail-on-severity that counts everything and sets
// no limit by itself.
const noSeverity = "none"

// The values of fail-on.
const (
	failOnAll = "all"
	failOnNew = "new"
)

// severities are the values of fail-on-severity.
func severities() []string {
	names := []string{noSeverity}
	for _, s := range inventory.Severities {
		names = append(names, string(s))
	}
	return names
}

// limit is the value of max-affected: one text, or the items of a mapping.
func limit(field func(*Config) *string) value {
	return value{
		kind: Limit,
		set: func(c *Config, occurrences []given) error {
			g := occurrences[len(occurrences)-1]
			s := strings.TrimSpace(strings.Join(g.items, ","))
			if _, _, err := gate.ParseLimit(s); err != nil {
				return err
			}
			*field(c) = s
			return nil
		},
		show: func(c *Config) string { return *field(c) },
	}
}

// Policy is the gate's policy that the inputs ask for. A severity without a
// limit allows none of it or worse; without both nothing fails by its number.
func (c Config) Policy() gate.Policy {
	p := gate.Policy{
		Max:                gate.Unlimited,
		OnlyNew:            c.FailOn == failOnNew,
		OnlyFixed:          c.OnlyFixed,
		WarnOnInconclusive: c.OnInconclusive == "warn",
		WarnOnly:           c.WarnOnly,
	}
	if c.FailOnSeverity != "" && c.FailOnSeverity != noSeverity {
		p.FailOn = inventory.Severity(c.FailOnSeverity)
		p.Max = 0
	}
	if c.MaxAffected != "" {
		var err error
		if p.Max, p.MaxBySeverity, err = gate.ParseLimit(c.MaxAffected); err != nil {
			p.Max, p.MaxBySeverity = 0, nil // Load refuses it; fail closed all the same
		}
	}
	return p
}

// policyInputs are the inputs that Policy depends on.
var policyInputs = [...]string{"fail-on-severity", "max-affected", "fail-on", "only-fixed", "on-inconclusive", "warn-only"}

// laterInputs came after records had been written without them. Their defaults
// are their strictest values, as which they count where they are missing.
var laterInputs = [...]string{"fail-on"}

// PolicyFromSettings gives the policy of a recorded run: Policy of the
// configuration whose Settings these are. A setting that is missing or invalid
// is a usage fault: a record must not pass for lack of a policy.
func PolicyFromSettings(settings map[string]string) (gate.Policy, error) {
	const hint = "the record is damaged or was written by another version"
	known := newTable(Inputs())
	c := Config{origin: map[string]string{}}
	for _, name := range policyInputs {
		text, found := settings[name]
		if !found && slices.Contains(laterInputs[:], name) {
			text, found = known[name].Default, true
		}
		if !found {
			return gate.Policy{}, fault.New(fault.Usage, hint, "reading the record's settings: %s is missing", name)
		}
		g := given{items: []string{text}}
		if g.empty() {
			if known[name].Default != "" {
				return gate.Policy{}, fault.New(fault.Usage, hint, "reading the record's settings: %s is empty", name)
			}
			continue
		}
		if err := known[name].set(&c, []given{g}); err != nil {
			return gate.Policy{}, fault.New(fault.Usage, hint, "reading the record's settings: %s: %w", name, err)
		}
	}
	return c.Policy(), nil
}

// deciding are the inputs, beside those of the policy, that decide over a
// record once it is there: what counts as old, and what is said where.
var deciding = [...]string{"max-db-age", "baseline", "dockerfile", "sarif-open"}

// Decided gives a record's settings with those that decide over it as another
// job has them: a record may tell how an image was watched, and not by which
// measure it is judged.
func Decided(recorded, own map[string]string) map[string]string {
	all := maps.Clone(recorded)
	if all == nil {
		all = map[string]string{}
	}
	for _, name := range slices.Concat(policyInputs[:], deciding[:]) {
		all[name] = own[name]
	}
	return all
}
