package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/vexxy/action/internal/attest"
	"github.com/vexxy/action/internal/config"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/source"
)

var verifyInputs = []config.Input{
	{Name: "key", Group: "Whom to trust", Kind: config.Text, Unset: "none", Doc: "public key that must have signed: a file, env://NAME, or the key of a key management system as awskms://…, azurekms://…, gcpkms://… or hashivault://…"},
	{Name: "identity", Group: "Whom to trust", Kind: config.Text, Unset: "none", Doc: "identity that the certificate must name, such as https://github.com/OWNER/REPO/.github/workflows/FILE@refs/heads/main"},
	{Name: "identity-regexp", Group: "Whom to trust", Kind: config.Text, Unset: "none", Doc: "regular expression for the whole identity, instead"},
	{Name: "issuer", Group: "Whom to trust", Kind: config.Text, Unset: "none", Doc: "who must vouch for the identity, such as https://token.actions.githubusercontent.com"},
	{Name: "issuer-regexp", Group: "Whom to trust", Kind: config.Text, Unset: "none", Doc: "regular expression for the whole issuer, instead"},
	{Name: "sigstore-trusted-root", Group: "Whom to trust", Kind: config.Text, Unset: "the public instance's", Doc: "file with the trusted root of a private sigstore instance"},
	{Name: "require-log", Group: "Whom to trust", Kind: config.Switch, Default: "false", Doc: "ask for an entry in a transparency log of a key's signature too"},
	{Name: "min-window", Group: "Policy", Kind: config.Duration, Unset: "any", Doc: "shortest time in which the workload must have been watched"},
	{Name: "max-age", Group: "Policy", Kind: config.Duration, Unset: "any", Doc: "longest time since"},
	{Name: "allow-inconclusive", Group: "Policy", Kind: config.Switch, Default: "false", Doc: "take evidence that says of itself that it is insufficient"},
	{Name: "platform", Group: "Image", Kind: config.Text, Unset: "this machine's", Doc: "platform of the image, such as linux/arm64"},
	{Name: "output", Group: "Output", Kind: config.Choice, Default: "text", Values: []string{"text", "json"}, Doc: "form of the report"},
}

const verifyHelp = `Exit codes: 0 the image is verified; 6 it is not; 3 the policy or the image's
name cannot be read; 5 the registry, sigstore's trusted root or the key's system is
out of reach, or the report cannot be written. A reader that leaves early changes
none of them.`

// verifyCommand is `vexxy verify`. An error has its own code.
func verifyCommand(ctx context.Context, s Streams, args []string) (fault.Code, error) {
	line, err := config.ParseLine(args, verifyInputs)
	if err != nil {
		return fault.Pass, err
	}
	if len(line.Rest) != 1 {
		return fault.Pass, fault.New(fault.Usage, "vexxy verify --key cosign.pub IMAGE", "verify takes one image")
	}
	output, err := line.Choice("output", "text", "json")
	if err != nil {
		return fault.Pass, err
	}
	policy, err := verifyPolicy(ctx, line, lookup(s.Environ))
	if err != nil {
		return fault.Pass, err
	}
	platform, _ := line.Text("platform")
	img, err := source.Resolve(ctx, "registry:"+strings.TrimPrefix(line.Rest[0], "registry:"), source.Options{Platform: platform})
	if err != nil {
		return fault.Pass, err
	}
	defer img.Close()
	v, err := attest.Verify(ctx, img.Repository, img.ManifestDigest, nil, policy)
	if err != nil {
		return fault.Pass, err
	}
	var out bytes.Buffer
	if output == "json" {
		data, err := v.JSON()
		if err != nil {
			return fault.Internal, err
		}
		out.Write(data)
	} else {
		printVerification(&out, v)
	}
	// Of a reader that leaves early the code is asked for alone.
	if _, err = s.Out.Write(out.Bytes()); errors.Is(err, syscall.EPIPE) {
		err = nil
	} else if err != nil {
		err = fault.New(fault.Infra, "see that there is room where the output goes", "printing the report: %w", err)
	}
	if !v.Verified {
		return fault.Integrity, err
	}
	return fault.Pass, err
}

// verifyPolicy reads the flags. The trusted root of the public instance is
// fetched only where it is needed.
func verifyPolicy(ctx context.Context, line config.Line, getenv func(string) string) (attest.Policy, error) {
	text := func(name string) string { t, _ := line.Text(name); return t }
	p := attest.Policy{Now: time.Now(), Trust: attest.Trust{
		Identity: text("identity"), IdentityPattern: text("identity-regexp"), Issuer: text("issuer"), IssuerPattern: text("issuer-regexp"),
	}}
	var err error
	if p.MinWindow, err = line.Duration("min-window"); err != nil {
		return p, err
	}
	if p.MaxAge, err = line.Duration("max-age"); err != nil {
		return p, err
	}
	if p.Inconclusive, err = line.Switch("allow-inconclusive"); err != nil {
		return p, err
	}
	if p.Trust.Logged, err = line.Switch("require-log"); err != nil {
		return p, err
	}
	t := &p.Trust
	keyless := t.Identity+t.IdentityPattern+t.Issuer+t.IssuerPattern != ""
	switch key := text("key"); {
	case key != "" && keyless:
		return p, fault.New(fault.Usage, "give --key, or --identity and --issuer", "reading the policy: both a key and an identity are given")
	case key != "":
		if t.Key, err = attest.LoadPublicKey(ctx, key, getenv); err != nil {
			return p, err
		}
	case !keyless:
		return p, fault.New(fault.Usage, "give --key, or --identity and --issuer: the run that attested prints the command", "reading the policy: it says nothing of whom to trust")
	}
	switch root := text("sigstore-trusted-root"); {
	case root != "":
		tr, err := attest.ReadTrustedRoot(root)
		if err != nil {
			return p, err
		}
		t.Root = tr
	case t.Key == nil || t.Logged:
		if t.Root, err = attest.PublicRoot(ctx); err != nil {
			return p, err
		}
	}
	return p, p.Check()
}

// maxListed is how many OpenVEX statements are listed in words.
const maxListed = 500

// printVerification writes the report for people.
func printVerification(w io.Writer, v attest.Verification) {
	line := func(format string, args ...any) {
		fmt.Fprintln(w, foreign.Text(fmt.Sprintf(format, args...)).Terminal(1000))
	}
	line("%s", v.Image)
	for _, a := range v.Attestations {
		by, at := "key "+a.Signature.Key, "at a time that nobody vouches for"
		if a.Signature.Key == "" {
			by = a.Signature.Identity + " (" + a.Signature.Issuer + ")"
		}
		if !a.Signature.At.IsZero() {
			at = "on " + a.Signature.At.Format(time.RFC3339)
		}
		line("  %s, signed by %s %s", a.PredicateType, by, at)
		for i, ref := range a.References {
			line("    %-6s  %s", a.Layouts[i], ref)
		}
	}
	if e := v.Evidence; e != nil {
		line("Watched %.0f s until %s by %s %s (%s, %s), confidence %s.", e.Window.End.Sub(e.Window.Start).Seconds(), e.Window.End.UTC().Format(time.RFC3339), e.Tool.Name, e.Tool.Version, e.Engine, e.Image.Platform, e.Confidence)
		line("Affected %d, not affected %d, under investigation %d, fixed %d; verdict %s; record %s.", e.Summary.Affected, e.Summary.NotAffected, e.Summary.UnderInvestigation, e.Summary.Fixed, e.Verdict, e.Record.Digest)
	}
	if doc, err := v.OpenVEX(); err == nil && doc != nil {
		printStatements(line, doc)
	}
	for _, o := range v.Others {
		line("Not counted: %s %s (%s): %s", o.Layout, o.Reference, o.PredicateType, o.Why)
	}
	for _, r := range v.Reasons {
		line("NOT VERIFIED: %s.", r)
	}
	if v.Verified {
		line("Verified.")
	}
}

// printStatements lists the statements of an OpenVEX document.
func printStatements(line func(string, ...any), document []byte) {
	var doc struct {
		Statements []struct {
			Vulnerability struct {
				Name string `json:"name"`
			} `json:"vulnerability"`
			Status   string `json:"status"`
			Products []struct {
				Subcomponents []struct {
					ID string `json:"@id"`
				} `json:"subcomponents"`
			} `json:"products"`
		} `json:"statements"`
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		line("The OpenVEX document cannot be read.")
		return
	}
	for i, s := range doc.Statements {
		if i == maxListed {
			line("  … and %d more; --output json has them all", len(doc.Statements)-i)
			return
		}
		var parts []string
		for _, p := range s.Products {
			for _, c := range p.Subcomponents {
				if !slices.Contains(parts, c.ID) && len(parts) < 3 {
					parts = append(parts, c.ID)
				}
			}
		}
		line("  %-19s %-16s %s", s.Status, s.Vulnerability.Name, strings.Join(parts, " "))
	}
}
