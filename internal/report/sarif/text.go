package sarif

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
)

// plain encodes foreign text for a message.
func plain(s string, max int) string { return foreign.Text(s).Message(max) }

// about is a result's message: what is affected, by what, and why we say so.
func about(a *judge.Assessment) string {
	is := "is affected by"
	switch a.Status {
	case judge.UnderInvestigation:
		is = "is under investigation for"
	case judge.NotAffected:
		is = "is not affected by"
	case judge.Fixed:
		is = "has the fix for"
	}
	// Text is bounded already, and holds the evidence; its foreign parts are
	// encoded for a line only.
	return fmt.Sprintf("%s %s %s %s (%s). %s", plain(a.PackageName, 200), plain(a.PackageVersion, 200), is, plain(a.Vulnerability, 100),
		plain(string(a.Severity), 20), plain(a.Text, 1000))
}

// advice is what the help of a rule says to do.
func advice(a *judge.Assessment) string {
	if len(a.FixVersions) > 0 {
		return fmt.Sprintf("Upgrade %s to %s, or rebuild the image on a base that has it.", a.PackageName, strings.Join(a.FixVersions, " or "))
	}
	switch a.FixState {
	case "wont-fix":
		return fmt.Sprintf("The maintainers of %s will not fix it: replace the package or keep its input trusted.", a.PackageName)
	case "not-fixed":
		return fmt.Sprintf("There is no fixed version of %s yet: keep its input trusted and watch for one.", a.PackageName)
	}
	return fmt.Sprintf("No fixed version of %s is known: keep its input trusted and watch for one.", a.PackageName)
}

var (
	cve  = regexp.MustCompile(`^CVE-[0-9]{4}-[0-9]{4,19}$`)
	ghsa = regexp.MustCompile(`^GHSA(-[0-9a-z]{4}){3}$`)
)

// helpURI leads to the public record of a vulnerability, by its name alone: an
// address out of a database is foreign.
func helpURI(vulnerability string) string {
	switch {
	case cve.MatchString(vulnerability):
		return "https://nvd.nist.gov/vuln/detail/" + vulnerability
	case ghsa.MatchString(vulnerability):
		return "https://github.com/advisories/" + vulnerability
	}
	return ""
}

// title is a rule's short description.
func title(a *judge.Assessment) string {
	severity := string(a.Severity)
	if a.Severity == inventory.Unknown {
		severity = "unrated"
	}
	return fmt.Sprintf("%s: %s vulnerability in %s", plain(a.Vulnerability, 100), plain(severity, 20), plain(a.PackageName, 200))
}
