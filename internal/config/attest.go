package config

// Attest says what is bound to the image's digest, and by whom.
type Attest struct {
	// Mode is one of the Attest constants.
	Mode string
	// Format is one of the Format constants, SBOM one of the SBOM constants.
	Format, SBOM string
	// Key is a file, env://NAME or a key management system's SYSTEM://…; Password
	// opens it.
	Key      string
	Password Secret
	// Inconclusive attests to insufficient evidence too, marked as such.
	Inconclusive bool
	// Limit is the greatest size of a statement in bytes, 0 for what the services
	// take. GitHubStore sends the bundles to GitHub's store too.
	Limit       int64
	GitHubStore bool
	// TrustedRoot and SigningConfig are files of a private sigstore instance;
	// both are empty for the public one, or for no services with a key.
	TrustedRoot, SigningConfig string
}

// The ways of attesting.
const (
	AttestOff     = "off"
	AttestDryRun  = "dry-run" // write the statements, sign and push nothing
	AttestKey     = "key"
	AttestKeyless = "keyless"
)

// The layouts in which attestations are attached.
const (
	FormatBundle = "bundle"
	FormatLegacy = "legacy"
	FormatBoth   = "both"
)

// The runtime SBOM to attest.
const (
	SBOMCycloneDX = "cyclonedx"
	SBOMSPDX      = "spdx"
	SBOMNone      = "none"
)

// leastLimit is the least that the limit of a statement may be, in bytes.
const leastLimit = 64 << 10

// Signs reports whether something is to be signed and pushed.
func (a Attest) Signs() bool { return a.Mode == AttestKey || a.Mode == AttestKeyless }

func attestInputs() []Input {
	return group("Attestation",
		row("attest", AttestOff, "sign the findings and attach them to the image in its registry: with the job's identity (keyless) or a key; dry-run writes the unsigned statements to the output directory",
			choice(func(c *Config) *string { return &c.Attest.Mode }, AttestOff, AttestDryRun, AttestKey, AttestKeyless)),
		row("attestation-format", FormatBoth, "how they are attached: as sigstore bundles that refer to the image (bundle), under cosign's older tag .att (legacy), or both",
			choice(func(c *Config) *string { return &c.Attest.Format }, FormatBundle, FormatLegacy, FormatBoth)),
		row("attest-sbom", SBOMCycloneDX, "form of the runtime SBOM among them",
			choice(func(c *Config) *string { return &c.Attest.SBOM }, SBOMCycloneDX, SBOMSPDX, SBOMNone)),
		row("attest-inconclusive", "false", "attest to insufficient evidence too, marked as such",
			onOff(func(c *Config) *bool { return &c.Attest.Inconclusive })),
		row("attest-key", "", "private key to sign with: a file, env://NAME, or the key of a key management system as awskms://…, azurekms://…, gcpkms://… or hashivault://…",
			text(func(c *Config) *string { return &c.Attest.Key }, nil), unset("none")),
		row("attest-key-password", "", "password of attest-key",
			password(func(c *Config) *Secret { return &c.Attest.Password }), unset("COSIGN_PASSWORD"),
			func(in *Input) { in.Secret, in.NoFile = true, true }),
		row("attestation-limit", "0", "greatest size of one attestation's statement, 0 for what the services take (1.2 MB with a log that keeps statements whole, else 32 MiB): a larger OpenVEX document is attested in parts, a larger SBOM left out; what a service refuses for its size is tried in smaller parts",
			size(func(c *Config) *int64 { return &c.Attest.Limit }, 0, 32<<20)),
		row("attest-github-store", "false", "send the attestations to GitHub's store of the job's repository too, with github-token",
			onOff(func(c *Config) *bool { return &c.Attest.GitHubStore }), func(in *Input) { in.Host = GitHub }),
		row("sigstore-trusted-root", "", "file with the trusted root of a private sigstore instance",
			text(func(c *Config) *string { return &c.Attest.TrustedRoot }, nil), unset("the public instance's")),
		row("sigstore-signing-config", "", "file with the services of a private sigstore instance; with a key, the log and the time-stamping authority that take part",
			text(func(c *Config) *string { return &c.Attest.SigningConfig }, nil), unset("the public instance's, none with a key")),
	)
}

// password is one text that is never printed. It is taken as it is, spaces and
// all.
func password(field func(*Config) *Secret) value {
	return value{
		kind: Text,
		set: func(c *Config, occurrences []given) error {
			if _, err := scalar(occurrences); err != nil {
				return err
			}
			*field(c) = NewSecret(occurrences[len(occurrences)-1].items[0])
			return nil
		},
		show: func(c *Config) string {
			if field(c).Reveal() == "" {
				return ""
			}
			return redacted
		},
	}
}

// checkAttest finds inputs of attesting that do not go together.
func (c *Config) checkAttest(conflict conflicting) error {
	a := c.Attest
	switch {
	case a.Mode == AttestKey && a.Key == "":
		return conflict("name it with attest-key: a file, env://NAME, or a key management system's as awskms://…", "attest (%s) asks for a key, and none is given", c.Origin("attest"))
	case a.Key != "" && a.Mode == AttestKeyless:
		return conflict("give attest: key, or leave the key out", "attest-key (%s) is given, and attest (%s) is keyless", c.Origin("attest-key"), c.Origin("attest"))
	case (a.SigningConfig == "") != (a.TrustedRoot == ""):
		return conflict("give both or neither", "sigstore-signing-config (%s) and sigstore-trusted-root (%s) belong together", c.Origin("sigstore-signing-config"), c.Origin("sigstore-trusted-root"))
	case a.Limit > 0 && a.Limit < leastLimit:
		return conflict("write 64Ki or more", "attestation-limit (%s) leaves no room for a statement", c.Origin("attestation-limit"))
	case a.GitHubStore && !a.Signs():
		return conflict("give attest: keyless, or leave attest-github-store off", "attest-github-store (%s) is on, and attest (%s) signs nothing", c.Origin("attest-github-store"), c.Origin("attest"))
	case a.GitHubStore && a.Format == FormatLegacy:
		return conflict("give attestation-format: bundle or both", "attest-github-store (%s) takes bundles, and attestation-format (%s) is legacy", c.Origin("attest-github-store"), c.Origin("attestation-format"))
	case a.Inconclusive && c.OnInconclusive == "warn":
		return conflict("leave on-inconclusive at fail: what is only warned of is never attested",
			"attest-inconclusive (%s) and on-inconclusive: warn (%s) exclude each other", c.Origin("attest-inconclusive"), c.Origin("on-inconclusive"))
	}
	return nil
}
