package config

import "strings"

// Earlier says where an earlier run of the image is looked for, and whose word
// on it counts.
type Earlier struct {
	// Path is the earlier run's result, or its folder; Artifact the name of an
	// earlier workflow's artifact that has it.
	Path, Artifact string
	// Attested asks for what is attested to an image: to Image, or to an earlier
	// one of the same repository where that is empty.
	Attested bool
	Image    string
	// Key is a public key; Identity or its pattern, and Issuer, are what a
	// certificate must say. Without any, the run's own key counts.
	Key, Identity, IdentityPattern, Issuer string
}

// How a baseline begins that is no path: fromAttestation may stand alone.
const (
	fromAttestation = "attestation"
	fromArtifact    = "artifact:"
)

// Earlier gives what the inputs of the baseline say; zero for none.
func (c Config) Earlier() Earlier {
	e := Earlier{Key: c.BaselineKey, Identity: c.BaselineIdentity, IdentityPattern: c.BaselineIdentityRegexp, Issuer: c.BaselineIssuer}
	image, named := strings.CutPrefix(c.Baseline, fromAttestation+":")
	artifact, kept := strings.CutPrefix(c.Baseline, fromArtifact)
	switch {
	case named:
		e.Attested, e.Image = true, image
	case kept:
		e.Artifact = artifact
	case c.Baseline == fromAttestation:
		e.Attested = true
	default:
		e.Path = c.Baseline
	}
	return e
}

func baselineInputs() []Input {
	return []Input{
		row("baseline", "", "earlier run to say what has changed since: its result.json, or its folder; under GitHub artifact:NAME, that of the latest successful run on the target branch; or attestation, what vexxy attested to this image or, if it has nothing, to the one that its tag or the tag latest names; or attestation:IMAGE, to an image of the same repository",
			text(func(c *Config) *string { return &c.Baseline }, nil), unset("none")),
		row("baseline-key", "", "public key that must have signed a baseline that is an attestation: a file, env://NAME, or a key management system's as attest-key has it",
			text(func(c *Config) *string { return &c.BaselineKey }, nil), unset("attest-key's own")),
		row("baseline-identity", "", "identity that its certificate must name, such as https://github.com/OWNER/REPO/.github/workflows/FILE@refs/heads/main",
			text(func(c *Config) *string { return &c.BaselineIdentity }, nil), unset("none")),
		row("baseline-identity-regexp", "", "regular expression for the whole identity, instead",
			text(func(c *Config) *string { return &c.BaselineIdentityRegexp }, nil), unset("none")),
		row("baseline-issuer", "", "who must vouch for that identity, such as https://token.actions.githubusercontent.com",
			text(func(c *Config) *string { return &c.BaselineIssuer }, nil), unset("none")),
	}
}

// checkBaseline finds an attestation that nobody is to be trusted for.
func (c *Config) checkBaseline(conflict conflicting) error {
	e := c.Earlier()
	if !e.Attested {
		return nil
	}
	keyless := e.Identity+e.IdentityPattern+e.Issuer != ""
	const hint = "give baseline-key, or baseline-identity and baseline-issuer"
	switch {
	case c.Baseline == fromAttestation+":":
		return conflict("write attestation:IMAGE, or attestation alone", "baseline (%s) names no image", c.Origin("baseline"))
	case e.Key != "" && keyless:
		return conflict(hint, "baseline-key (%s) is given, and an identity too", c.Origin("baseline-key"))
	case keyless && (e.Issuer == "" || (e.Identity == "") == (e.IdentityPattern == "")):
		return conflict("give baseline-issuer, and one of baseline-identity and baseline-identity-regexp", "the baseline's identity or issuer is missing, or there are two")
	case !keyless && e.Key == "" && c.Attest.Mode != AttestKey:
		return conflict(hint, "baseline (%s) is an attestation, and nothing says by whom", c.Origin("baseline"))
	}
	return nil
}
