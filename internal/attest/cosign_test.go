package attest

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

// The cosign programs named by VEXXY_TEST_COSIGN, separated by colons, verify
// what is written, by the very commands that a run prints, and refuse it for
// another key or identity. scripts/consumers/cosign.sh builds and names them.
func TestCosignVerifies(t *testing.T) {
	programs := filepath.SplitList(os.Getenv("VEXXY_TEST_COSIGN"))
	if len(programs) == 0 {
		t.Fatal("scripts/consumers/cosign.sh runs this with cosign; leave it out by -skip '^TestCosignVerifies'")
	}
	public := filepath.Join(t.TempDir(), "key.pub")
	keyed, other := signer(t, newKey(t)), signer(t, newKey(t))
	if err := os.WriteFile(public, keyed.PublicKey(), 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(t.TempDir(), "other.pub")
	if err := os.WriteFile(foreign, other.PublicKey(), 0o600); err != nil {
		t.Fatal(err)
	}
	instance := newInstance(t, false)
	dir := t.TempDir()
	t.Setenv("SIGSTORE_ROOT_FILE", filepath.Join(dir, "root.pem"))
	t.Setenv("SIGSTORE_REKOR_PUBLIC_KEY", filepath.Join(dir, "rekor.pem"))
	chain, err := cryptoutils.MarshalCertificatesToPEM([]*x509.Certificate{instance.Fulcio.Intermediate, instance.Fulcio.Root})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range instance.Log.RekorLogs() {
		key, err := cryptoutils.MarshalPublicKeyToPEM(l.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.WriteFile(filepath.Join(dir, "rekor.pem"), key, 0o600), os.WriteFile(filepath.Join(dir, "root.pem"), chain, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for _, program := range programs {
		for _, api := range []bool{true, false} {
			for _, layout := range both {
				t.Run(fmt.Sprintf("%s,api=%t,%s", filepath.Base(program), api, layout), func(t *testing.T) {
					t.Run("key", func(t *testing.T) {
						b := newBed(t, api, nil)
						out, err := quick(keyed, layout).Publish(t.Context(), b.subject, b.statements(t, "x"))
						if err != nil {
							t.Fatal(err)
						}
						commands := Commands(out, public, "")[1:]
						if len(commands) != 3 {
							t.Fatalf("commands are %q", commands)
						}
						for i, c := range commands {
							if layout == LayoutBundle { // else cosign fetches the public instance's
								c = strings.Replace(c, "--key", "--trusted-root "+instance.TrustedRoot+" --key", 1)
							}
							cosign(t, program, c, out.Receipts[i].PredicateType)
							refuses(t, program, strings.Replace(c, public, foreign, 1))
						}
					})
					t.Run("keyless", func(t *testing.T) {
						b := newBed(t, api, nil)
						out, err := quick(instance.signer(t), layout).Publish(t.Context(), b.subject, b.statements(t, "x"))
						if err != nil {
							t.Fatal(err)
						}
						commands := Commands(out, "", instance.TrustedRoot)[1:]
						if layout == LayoutLegacy { // the instance is named by variables
							commands = Commands(out, "", "")[1:]
						}
						if len(commands) != 3 {
							t.Fatalf("commands are %q", commands)
						}
						for n, c := range commands {
							c = strings.Replace(c, "verify-attestation", "verify-attestation --insecure-ignore-sct", 1) // this instance has no such log
							cosign(t, program, c, out.Receipts[n].PredicateType)
							refuses(t, program, strings.Replace(c, testIdentity, testIdentity+"x", 1))
						}
					})
				})
			}
		}
	}
}

// runCosign runs a printed command with the program and gives what it prints.
func runCosign(t *testing.T, program, command string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", strings.Replace(command, "cosign", program, 1))
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "SIGSTORE_NO_CACHE=true")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

func cosign(t *testing.T, program, command, predicateType string) {
	t.Helper()
	out, errs, err := runCosign(t, program, command)
	if err != nil {
		t.Errorf("%s\n%v\n%s", command, err, errs)
		return
	}
	first, _, _ := strings.Cut(strings.TrimSpace(out), "\n")
	var envelope struct {
		Payload string `json:"payload"`
	}
	if err := json.Unmarshal([]byte(first), &envelope); err != nil {
		t.Errorf("%s\nprinted %.300q: %v", command, out, err)
		return
	}
	payload, err := base64.StdEncoding.DecodeString(envelope.Payload)
	if err != nil || !bytes.Contains(payload, []byte(`"predicateType":"`+predicateType+`"`)) {
		t.Errorf("%s\nprinted %.300q", command, payload)
	}
}

func refuses(t *testing.T, program, command string) {
	t.Helper()
	if out, _, err := runCosign(t, program, command); err == nil {
		t.Errorf("%s\nverified: %.300q", command, out)
	}
}
