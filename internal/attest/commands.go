package attest

import (
	"regexp"
	"slices"
	"strings"
)

// Commands gives the commands that verify what was published: vexxy's own, and
// cosign's for each type and layout. key is the path of the public key, root
// that of a private instance's trusted root; both may be empty.
func Commands(p Published, key, root string) []string {
	if len(p.Receipts) == 0 {
		return nil
	}
	first := p.Receipts[0]
	own := []string{"vexxy", "verify"}
	cosign := []string{"cosign", "verify-attestation"}
	if first.Signature.Key != "" {
		own, cosign = append(own, "--key", key), append(cosign, "--key", key)
		if first.Signature.LogIndex < 0 {
			cosign, root = append(cosign, "--insecure-ignore-tlog=true"), ""
		} else {
			own = append(own, "--require-log")
		}
	} else {
		own = append(own, "--identity", first.Signature.Identity, "--issuer", first.Signature.Issuer)
		cosign = append(cosign, "--certificate-identity", first.Signature.Identity, "--certificate-oidc-issuer", first.Signature.Issuer)
		if first.Signature.Stamped {
			cosign = append(cosign, "--use-signed-timestamps")
		}
	}
	if root != "" {
		own, cosign = append(own, "--sigstore-trusted-root", root), append(cosign, "--trusted-root", root)
	}
	all := []string{shell(append(own, first.Subject))}
	bundled := map[string]bool{}
	for _, r := range p.Receipts {
		if r.Layout == LayoutBundle {
			bundled[r.PredicateType] = true
		}
	}
	for _, r := range p.Receipts {
		args := append(append([]string(nil), cosign...), "--type", r.PredicateType)
		switch {
		case r.Layout == LayoutBundle:
			args = append(args, "--new-bundle-format")
		case bundled[r.PredicateType]:
			continue // one is enough
		case root != "" && r.Signature.Key == "":
			continue // cosign takes a trusted root for bundles alone
		default:
			args = append(args, "--new-bundle-format=false") // cosign 3 looks for bundles alone by itself
		}
		if c := shell(append(args, r.Subject)); !slices.Contains(all, c) { // parts have one type
			all = append(all, c)
		}
	}
	return all
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// shell writes a command so that a shell reads it as it is.
func shell(args []string) string {
	quoted := make([]string, len(args))
	for i, a := range args {
		if quoted[i] = a; !plain.MatchString(a) {
			quoted[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}
