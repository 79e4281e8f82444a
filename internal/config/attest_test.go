package config

import "testing"

// What cannot be done or would sign too much is refused before a run.
func TestAttestConflicts(t *testing.T) {
	for name, c := range map[string]struct {
		args  []string
		parts []string
	}{
		"no key":                    {[]string{"--attest", "key"}, []string{"asks for a key", "attest-key"}},
		"key without use":           {[]string{"--attest", "keyless", "--attest-key", "a"}, []string{"keyless", "attest: key"}},
		"half a private instance":   {[]string{"--attest", "keyless", "--sigstore-trusted-root", "a"}, []string{"belong together"}},
		"warn only, and attested":   {[]string{"--on-inconclusive", "warn", "--attest-inconclusive"}, []string{"exclude each other"}},
		"no such way":               {[]string{"--attest", "keyles"}, []string{"did you mean keyless?"}},
		"the password in the open?": {[]string{"--attest-key-pasword=canary"}, []string{"did you mean --attest-key-password?"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, "", nil, append(c.args, "a")...)
			refused(t, err, c.parts...)
		})
	}
	_, err := load(t, "attest-key-password: canary\n", nil, "a")
	refused(t, err, "cannot stand in the file", "VEXXY_ATTEST_KEY_PASSWORD")
}

// The key's password is a secret of the run, and kept as it is.
func TestAttestKeyPassword(t *testing.T) {
	c := must(t, "", []string{"VEXXY_ATTEST_KEY_PASSWORD= canary "}, "--attest", "key", "--attest-key", "env://K", "a")
	if got := c.Secrets(); len(got) != 1 || got[0].Reveal() != " canary " || c.Settings()["attest-key-password"] != redacted {
		t.Errorf("secrets are %v, settings %v", got, c.Settings())
	}
	if !c.Attest.Signs() || c.Attest.Mode != AttestKey {
		t.Errorf("attest is %+v", c.Attest)
	}
}
