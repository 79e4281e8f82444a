package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/anchore/grype/grype"
	v6 "github.com/anchore/grype/grype/db/v6"
	"github.com/anchore/grype/grype/distro"
	"github.com/anchore/grype/grype/match"
	"github.com/anchore/grype/grype/matcher"
	"github.com/anchore/grype/grype/matcher/dpkg"
	"github.com/anchore/grype/grype/matcher/golang"
	"github.com/anchore/grype/grype/matcher/rpm"
	"github.com/anchore/grype/grype/matcher/stock"
	grypepkg "github.com/anchore/grype/grype/pkg"
	"github.com/anchore/grype/grype/version"
	"github.com/anchore/syft/syft/cataloging"
	"github.com/anchore/syft/syft/pkg"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/inventory"
)

// Complete gives the catalog's inventory with the findings of this database.
func (m *Matcher) Complete(ctx context.Context, c *Catalog) (inventory.Inventory, error) {
	findings, err := m.Match(ctx, c)
	if err != nil {
		return inventory.Inventory{}, err
	}
	inv := c.Inventory
	inv.Findings = findings
	inv.Database = m.identity
	if inv.Incomplete == "" {
		inv.Incomplete, err = m.uncovered(c)
	}
	return inv, err
}

// Match finds the vulnerabilities of the catalog's packages as Grype's command
// does with its default settings, but ignores none: kernel headers too are
// matched through their source package. The findings are sorted by package and
// identifier.
func (m *Matcher) Match(ctx context.Context, c *Catalog) ([]inventory.Finding, error) {
	packages, release := matchable(c)
	m.mu.Lock()
	defer m.mu.Unlock()
	vulnerabilities := grype.VulnerabilityMatcher{
		VulnerabilityProvider: m.provider,
		Matchers:              matchers(),
	}
	found, _, err := vulnerabilities.FindMatchesContext(ctx, packages, grypepkg.Context{Source: &c.model.Source, Distro: release})
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, fault.New(fault.Infra, pathHint, "matching packages with vulnerabilities: %w", err)
	}
	return m.findings(found)
}

// matchers are Grype's, with the settings of its command line.
func matchers() []match.Matcher {
	return matcher.NewDefaultMatchers(matcher.Config{
		Golang: golang.MatcherConfig{AlwaysUseCPEForStdlib: true},
		Stock:  stock.MatcherConfig{UseCPEs: true},
		Dpkg:   dpkg.MatcherConfig{MissingEpochStrategy: version.MissingEpochStrategyZero},
		Rpm:    rpm.MatcherConfig{MissingEpochStrategy: version.MissingEpochStrategyAuto},
	})
}

// matchable gives the packages that Grype would match, in its own type.
func matchable(c *Catalog) ([]grypepkg.Package, *distro.Distro) {
	release := distro.FromRelease(c.model.Artifacts.LinuxDistribution, distro.DefaultFixChannels())
	kept := pkg.NewCollection()
	owners := overlapOwners(c.model)
	comprehensive := recordsUnfixed(release)
	for p := range c.model.Artifacts.Packages.Enumerate() {
		if p.Version == "" || p.Version == cataloging.UnknownStubValue {
			continue
		}
		if slices.ContainsFunc(owners[p.ID()], func(owner pkg.Package) bool { return covered(p, owner, comprehensive) }) {
			continue
		}
		kept.Add(p)
	}
	packages := grypepkg.FromCollection(kept, grypepkg.SynthesisConfig{
		Distro: grypepkg.DistroConfig{FixChannels: distro.DefaultFixChannels()},
	})
	for i := range packages {
		if packages[i].Distro == nil {
			packages[i].Distro = release
		}
	}
	return packages, release
}

// uncovered says why packages of the image's distribution were not matched: it
// is unknown, or the database has no data of it.
func (m *Matcher) uncovered(c *Catalog) (string, error) {
	count := 0
	for _, p := range c.Packages {
		if systemPackage(pkg.Type(p.Type)) {
			count++
		}
	}
	if count == 0 {
		return "", nil
	}
	release := distro.FromRelease(c.model.Artifacts.LinuxDistribution, distro.DefaultFixChannels())
	if release == nil {
		return fmt.Sprintf("the image's distribution is not known, so that its %d distribution packages were not matched", count), nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	known, err := m.reader.GetOperatingSystems(v6.OSSpecifier{
		Name:             release.Name(),
		MajorVersion:     release.MajorVersion(),
		MinorVersion:     release.MinorVersion(),
		RemainingVersion: release.RemainingVersion(),
		LabelVersion:     release.LabelVersion(),
	})
	if err != nil && !errors.Is(err, v6.ErrOSNotPresent) && !errors.Is(err, v6.ErrMissingOSIdentification) {
		return "", fault.New(fault.Infra, pathHint, "reading the vulnerability database: %w", err)
	}
	if len(known) == 0 {
		return oneLine(fmt.Sprintf("the vulnerability database has nothing on %s, so that its %d distribution packages were not matched",
			strings.TrimSpace(release.String()), count)), nil
	}
	return "", nil
}
