package attesttest

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// NewAWS starts AWS KMS, as far as signing needs it
// (https://docs.aws.amazon.com/kms/latest/APIReference): its JSON protocol, in
// which the header X-Amz-Target names the operation.
func NewAWS(t testing.TB) *Cloud {
	t.Helper()
	c := newCloud(t)
	c.Ref = "awskms:///alias/release"
	c.Hosts["kms.eu-west-1.amazonaws.com"] = http.HandlerFunc(c.aws)
	c.Environ = append(c.Environ, "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=AKIDRELEASE", "AWS_SECRET_ACCESS_KEY=canary-secret-of-aws", "AWS_SESSION_TOKEN=canary-session-of-aws")
	return c
}

func (c *Cloud) aws(w http.ResponseWriter, req *http.Request) {
	operation := strings.TrimPrefix(req.Header.Get("X-Amz-Target"), "TrentService.")
	c.ask(operation)
	fail := func(kind string) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusBadRequest)
		json.NewEncoder(w).Encode(map[string]string{"__type": kind, "message": "for canary-session-of-aws\n::error::no"})
	}
	var in struct {
		KeyID       string `json:"KeyId"`
		Message     []byte
		MessageType string
		Algorithm   string `json:"SigningAlgorithm"`
	}
	signed := strings.HasPrefix(req.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIDRELEASE/") && req.Header.Get("X-Amz-Security-Token") == "canary-session-of-aws"
	if err := json.NewDecoder(req.Body).Decode(&in); err != nil || in.KeyID != "alias/release" {
		fail("NotFoundException")
		return
	}
	if !signed || c.Refuse {
		fail("AccessDeniedException")
		return
	}
	algorithms := []string{"ECDSA_SHA_256"}
	switch operation {
	case "DescribeKey":
		answer(w, map[string]any{"KeyMetadata": map[string]any{"KeyId": "1", "Enabled": true, "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY", "SigningAlgorithms": algorithms}})
	case "GetPublicKey":
		der, err := x509.MarshalPKIXPublicKey(c.Key.Public())
		if err != nil {
			fail("KMSInternalException")
			return
		}
		answer(w, map[string]any{"KeyId": "1", "PublicKey": der, "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY", "SigningAlgorithms": algorithms})
	case "Sign":
		if in.MessageType != "DIGEST" || in.Algorithm != algorithms[0] {
			fail("ValidationException")
			return
		}
		sig, err := c.Key.Sign(rand.Reader, in.Message, crypto.SHA256)
		if err != nil {
			fail("KMSInternalException")
			return
		}
		answer(w, map[string]any{"KeyId": "1", "Signature": sig, "SigningAlgorithm": in.Algorithm})
	default:
		fail("UnsupportedOperationException")
	}
}
