// Package attest binds what a run found to the image's digest: it writes the
// findings as in-toto statements, signs them with a key or keyless, attaches
// them to the image in its registry as sigstore bundles and in cosign's older
// layout, reads back what the registry then gives, and verifies what others
// find there.
//
// The registry, the signing services and all attestations are foreign: what is
// read of them is bounded in size, number and time, and nothing counts as
// attested before it was fetched again and verified.
package attest

import "github.com/vexxy/action/internal/foreign"

// bounded encodes a foreign text for a message or a field.
func bounded(s string) string { return foreign.Text(s).Line(500) }

// cut is bounded for names that are quoted in a sentence.
func cut(s string) string { return foreign.Text(s).Line(120) }
