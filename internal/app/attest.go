package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vexxy/action/internal/attest"
	"github.com/vexxy/action/internal/config"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/report"
	"github.com/vexxy/action/internal/run"
	"github.com/vexxy/action/internal/sbom"
	"github.com/vexxy/action/internal/source"
)

// attester is a run's run.Attester.
type attester struct {
	cfg     config.Attest
	barred  string // why there is nothing to sign with, where that is no error
	never   bool   // on-inconclusive: warn never attests insufficient evidence
	signer  *attest.Signer
	store   store // nil where nothing is to be stored beside the registry
	publish func(context.Context, run.Documents, []attest.Statement) (attest.Published, error)
}

// newAttester makes ready what the inputs ask for, nil for nothing. A key that
// cannot be opened, or a job without an identity, ends the run before it began,
// unless unsigned says that such a job never has one.
func newAttester(ctx context.Context, cfg config.Config, getenv func(string) string, unsigned string, beside func(config.Config) (store, error)) (run.Attester, error) {
	a := &attester{cfg: cfg.Attest, never: cfg.OnInconclusive == "warn"}
	var err error
	switch {
	case cfg.Attest.Signs() && unsigned != "":
		a.barred = unsigned
		return a, nil
	case cfg.Attest.Mode == config.AttestDryRun:
		return a, nil
	case cfg.Attest.Mode == config.AttestKey:
		password := cfg.Attest.Password
		if !cfg.Given("attest-key-password") {
			password = config.NewSecret(getenv("COSIGN_PASSWORD"))
		}
		a.signer, err = attest.NewKeySigner(ctx, attest.KeyOptions{
			Key: cfg.Attest.Key, Password: password, Getenv: getenv,
			SigningConfig: cfg.Attest.SigningConfig, TrustedRoot: cfg.Attest.TrustedRoot,
		})
	case cfg.Attest.Mode == config.AttestKeyless:
		a.signer, err = attest.NewKeylessSigner(ctx, attest.KeylessOptions{
			Getenv: getenv, SigningConfig: cfg.Attest.SigningConfig, TrustedRoot: cfg.Attest.TrustedRoot,
		})
	default:
		return nil, nil
	}
	if err == nil && cfg.Attest.GitHubStore {
		a.store, err = beside(cfg)
	}
	if err != nil {
		return nil, err
	}
	publisher := attest.NewPublisher(attest.Options{Signer: a.signer, Layouts: layouts(cfg.Attest.Format), Version: Version()})
	a.publish = func(ctx context.Context, docs run.Documents, all []attest.Statement) (attest.Published, error) {
		return publisher.Publish(ctx, docs.Image.Record.Subject, all)
	}
	return a, nil
}

func layouts(format string) []attest.Layout {
	switch format {
	case config.FormatBundle:
		return []attest.Layout{attest.LayoutBundle}
	case config.FormatLegacy:
		return []attest.Layout{attest.LayoutLegacy}
	}
	return []attest.Layout{attest.LayoutBundle, attest.LayoutLegacy}
}

// Attest implements run.Attester.
func (a *attester) Attest(ctx context.Context, docs run.Documents, dir string) (report.Attested, error) {
	out := report.Attested{Mode: a.cfg.Mode}
	image := docs.Image
	if a.barred != "" {
		out.Skipped = a.barred
		return out, nil
	}
	if !image.Judgement.Sufficient && (a.never || !a.cfg.Inconclusive) {
		out.Skipped = "the evidence is insufficient, and attest-inconclusive is off"
		if a.never {
			out.Skipped = "the evidence is insufficient, and with on-inconclusive: warn it is never attested"
		}
		return out, nil
	}
	folder := filepath.Join(dir, run.AttestationsFolder)
	all, err := a.statements(docs, folder, a.limit(), &out)
	if err != nil {
		if err == attest.ErrLocal && a.signer == nil {
			out.Skipped, err = err.Error(), nil
		}
		return out, err
	}
	if a.signer == nil {
		out.Skipped = "a dry run signs nothing; the statements are in " + folder
		return out, nil
	}
	published, err := a.publish(ctx, docs, all)
	for try := 0; errors.Is(err, attest.ErrTooLarge) && try < maxSmaller; try++ {
		limit := half(all)
		if limit < attest.LeastLimit {
			break
		}
		out.Notes = append(out.Notes, fmt.Sprintf("tried again with parts of at most %d bytes: %s", limit, err))
		if all, err = a.statements(docs, folder, limit, &out); err != nil {
			return out, err
		}
		published, err = a.publish(ctx, docs, all)
	}
	for name, data := range published.Bundles {
		if werr := run.WriteFile(filepath.Join(folder, name+".sigstore.json"), data); werr != nil && err == nil {
			err = werr
		}
	}
	key := ""
	if public := a.signer.PublicKey(); public != nil {
		key = filepath.Join(folder, "key.pub")
		if werr := run.WriteFile(key, public); werr != nil && err == nil {
			err = werr
		}
	}
	out.Replaced, out.Notes = published.Replaced, append(out.Notes, published.Notes...)
	out.Commands = attest.Commands(published, key, a.cfg.TrustedRoot)
	for _, r := range published.Receipts {
		out.Attestations = append(out.Attestations, shown(r))
	}
	if err == nil && a.store != nil {
		err = a.storeAll(ctx, docs, all, published, &out)
	}
	return out, err
}

// storeAll puts what the registry has into the host's own store too.
func (a *attester) storeAll(ctx context.Context, docs run.Documents, all []attest.Statement, p attest.Published, out *report.Attested) error {
	for _, s := range all {
		bundle, signed := p.Bundles[s.Name]
		if !signed {
			return fmt.Errorf("storing the %s statement: there is no bundle of it", s.Name)
		}
		stored, err := a.store(ctx, docs.Image.Record.Subject.ManifestDigest, bundle)
		if err != nil {
			return err
		}
		if stored.Unread {
			out.Notes = append(out.Notes, fmt.Sprintf("GitHub's store took the %s statement as %d, and lists it without its contents: it was not read back", s.Name, stored.ID))
		}
		out.Stored = append(out.Stored, report.Stored{Statement: s.Name, ID: stored.ID, URL: stored.URL})
	}
	return nil
}

// maxSmaller is how often what a service refuses for its size is tried in
// smaller parts.
const maxSmaller = 4

// limit is the greatest size of a statement.
func (a *attester) limit() int {
	limit := attest.MaxStatement
	switch {
	case a.cfg.Limit > 0:
		limit = int(a.cfg.Limit)
	case a.signer != nil:
		limit = a.signer.Limit()
	}
	if a.cfg.GitHubStore {
		limit = min(limit, attest.StoreLimit)
	}
	return limit
}

// half is half the size of the largest statement.
func half(all []attest.Statement) int {
	largest := 0
	for _, s := range all {
		largest = max(largest, len(s.Payload))
	}
	return largest / 2
}

// statements makes the statements and writes them into the folder, in the place
// of others; what was split or left out is noted.
func (a *attester) statements(docs run.Documents, folder string, limit int, out *report.Attested) ([]attest.Statement, error) {
	image, documents := docs.Image, a.documents(docs)
	all, err := attest.Statements(image.Record, image.Judgement, string(image.Decision.Verdict), documents, limit)
	if err != nil {
		return nil, err
	}
	for _, d := range documents {
		n := 0
		for _, s := range all {
			if s.PredicateType == d.PredicateType {
				n++
			}
		}
		switch {
		case n == 0:
			out.Notes = append(out.Notes, fmt.Sprintf("%s is not attested: it has %d bytes, and at most %d fit into an attestation; it stays among the results", d.File, len(d.Data), limit))
		case n > 1:
			out.Notes = append(out.Notes, fmt.Sprintf("%s is attested in %d parts, as at most %d bytes fit into an attestation: vexxy verify reads them as one, other readers may take one part alone", d.File, n, limit))
		}
	}
	if err := os.RemoveAll(folder); err != nil {
		return nil, fault.New(fault.Infra, "check the rights of the output directory", "clearing %s: %w", folder, err)
	}
	for _, s := range all {
		if err := run.WriteFile(filepath.Join(folder, s.Name+".intoto.json"), s.Payload); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func shown(r attest.Receipt) report.Attestation {
	a := report.Attestation{
		Statement: r.Statement, PredicateType: r.PredicateType, Layout: string(r.Layout), Outcome: string(r.Outcome),
		Subject: r.Subject, Reference: r.Reference, PayloadSHA256: r.PayloadSHA256,
		Key: r.Signature.Key, Identity: r.Signature.Identity, Issuer: r.Signature.Issuer, SignedAt: r.Signature.At,
	}
	if r.Signature.LogIndex >= 0 {
		a.LogIndex = &r.Signature.LogIndex
	}
	return a
}

// documents are the run's documents that are attested beside the evidence. An
// image without findings has no OpenVEX document.
func (a *attester) documents(docs run.Documents) []attest.Document {
	all := []attest.Document{{Name: "openvex", File: run.VEXFile, PredicateType: attest.TypeOpenVEX}}
	switch a.cfg.SBOM {
	case config.SBOMCycloneDX:
		all = append(all, attest.Document{Name: "sbom", File: sbom.RuntimeCycloneDX, PredicateType: attest.TypeCycloneDX})
	case config.SBOMSPDX:
		all = append(all, attest.Document{Name: "sbom", File: sbom.RuntimeSPDX, PredicateType: attest.TypeSPDX})
	}
	for i := range all {
		all[i].Data = docs.Files[all[i].File]
	}
	return slices.DeleteFunc(all, func(d attest.Document) bool { return len(d.Data) == 0 })
}

// attestable refuses an image that could not be attested to, before it runs.
func attestable(cfg config.Config, img source.Image) error {
	if cfg.Attest.Signs() && img.Local() {
		return attest.ErrLocal
	}
	return nil
}

// hideSecrets takes the variables that hold tokens and passwords out of this
// process's environment: no program that a run starts needs them.
func hideSecrets(cfg config.Config) {
	for _, name := range secretVariables(cfg) {
		os.Unsetenv(name)
	}
}

// withoutSecrets is an environment for programs of the user's. What opens a
// key's system is withheld from them alone: vexxy, and a registry's credential
// helper that it starts, have need of it.
func withoutSecrets(cfg config.Config, environ []string) []string {
	hidden, secrets := append(secretVariables(cfg), keyVariables(cfg)...), secretsOf(cfg, environ)
	return slices.DeleteFunc(slices.Clone(environ), func(kv string) bool {
		name, value, _ := strings.Cut(kv, "=")
		return slices.Contains(hidden, name) || isSecret(name, value, secrets)
	})
}

// keyVariables are the variables that open the systems which the inputs' keys are
// in.
func keyVariables(cfg config.Config) []string {
	return append(attest.KeyVariables(cfg.Attest.Key), attest.KeyVariables(cfg.BaselineKey)...)
}

// secretsOf are the inputs' secrets, and what opens their keys' systems.
func secretsOf(cfg config.Config, environ []string) []config.Secret {
	all, getenv := cfg.Secrets(), lookup(environ)
	for _, name := range keyVariables(cfg) {
		if value := getenv(name); len(value) >= minSecret {
			all = append(all, config.NewSecret(value))
		}
	}
	return all
}

// minSecret is the length from which on a value is told from one by chance.
const minSecret = 8

// isSecret reports whether a variable has the value of a secret input: the one
// that an input was taken from holds the secret, too. Of shorter values, and of
// what every program is given, it is chance: env may have a PATH of the image.
func isSecret(name, value string, secrets []config.Secret) bool {
	value = strings.TrimSpace(value)
	return len(value) >= minSecret && !slices.Contains([]string{"PATH", "HOME", "PWD", "SHELL", "TMPDIR"}, name) && slices.ContainsFunc(secrets, func(s config.Secret) bool { return value == strings.TrimSpace(s.Reveal()) })
}

func secretVariables(cfg config.Config) []string {
	names := append(attest.SecretVariables(), "VEXXY_ATTEST_KEY_PASSWORD", "INPUT_ATTEST-KEY-PASSWORD", "INPUT_ATTEST_KEY_PASSWORD")
	if name, found := strings.CutPrefix(cfg.Attest.Key, "env://"); found {
		names = append(names, name)
	}
	return names
}

// printAttested says what was attached, and how to verify it.
func printAttested(w io.Writer, a *report.Attested) {
	if a == nil {
		return
	}
	line := func(format string, args ...any) {
		fmt.Fprintln(w, foreign.Text(fmt.Sprintf(format, args...)).Terminal(2000))
	}
	if a.Skipped != "" {
		line("Not attested: %s.", a.Skipped)
	}
	if len(a.Attestations) > 0 {
		by := "key " + a.Attestations[0].Key
		if a.Attestations[0].Identity != "" {
			by = a.Attestations[0].Identity
		}
		line("Attested to %s by %s:", a.Attestations[0].Subject, by)
		for _, r := range a.Attestations {
			line("  %-9s %-9s %-7s %s", r.Outcome, r.Statement, r.Layout, r.Reference)
		}
	}
	for _, s := range a.Stored {
		line("  stored at GitHub: %s %s", s.Statement, s.URL)
	}
	for _, note := range a.Notes {
		line("note: %s", note)
	}
	if len(a.Commands) > 0 {
		line("Verify it with:")
		for _, c := range a.Commands {
			line("  %s", c)
		}
	}
}
