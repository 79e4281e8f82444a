package config

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted stands for a secret wherever one is printed.
const redacted = "REDACTED"

// Secret is a text that no sink may print. Only Reveal gives it. It is kept
// behind a function, so that printing by reflection does not find it either.
type Secret struct{ reveal func() string }

// NewSecret makes a secret of s.
func NewSecret(s string) Secret { return Secret{func() string { return s }} }

// Reveal gives the secret itself, for the one place that must have it.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

func (Secret) String() string   { return redacted }
func (Secret) GoString() string { return redacted }

// Format prints REDACTED for every verb.
func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// MarshalText covers JSON values and keys, YAML and XML.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue covers structured logs.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
