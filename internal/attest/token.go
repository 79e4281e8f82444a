package attest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/vexxy/action/internal/fault"
)

// The variables that keyless signing takes its token from, and that nothing
// else of a run may see. GitHub's runner gives the first two to jobs with the
// permission id-token: write
// (https://docs.github.com/actions/security-for-github-actions, OpenID Connect);
// GitLab sets the third where the job's id_tokens ask for it.
const (
	varRequestURL   = "ACTIONS_ID_TOKEN_REQUEST_URL"
	varRequestToken = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
	varToken        = "SIGSTORE_ID_TOKEN"
)

// audience is what Fulcio asks of a token.
const audience = "sigstore"

// SecretVariables are the variables that hold tokens or passwords for signing.
func SecretVariables() []string {
	return []string{varRequestURL, varRequestToken, varToken, "COSIGN_PASSWORD"}
}

// tokenPossible reports before a run that it could never be signed.
func tokenPossible(getenv func(string) string) error {
	if getenv(varToken) != "" || getenv(varRequestURL) != "" && getenv(varRequestToken) != "" {
		return nil
	}
	return fault.New(fault.Usage,
		"on GitHub give the job `permissions: id-token: write` (pull requests from forks have none); on GitLab add `id_tokens: SIGSTORE_ID_TOKEN: aud: sigstore`; or sign with a key",
		"preparing keyless signing: this job has no identity token")
}

// fetchToken gives the job's identity token.
func fetchToken(ctx context.Context, getenv func(string) string) (string, error) {
	if token := strings.TrimSpace(getenv(varToken)); token != "" {
		return token, nil
	}
	u, err := url.Parse(getenv(varRequestURL))
	if err != nil || u.Host == "" {
		return "", tokenFault("%s is no URL", varRequestURL)
	}
	q := u.Query()
	q.Set("audience", audience)
	u.RawQuery = q.Encode()
	ctx, cancel := context.WithTimeoutCause(ctx, signTimeout, fmt.Errorf("not answered within %s", signTimeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", tokenFault("%s is no URL", varRequestURL)
	}
	req.Header.Set("Authorization", "Bearer "+getenv(varRequestToken))
	// No redirect is followed: it would carry the bearer token to another host.
	resp, err := serviceTransport{ctx}.RoundTrip(req)
	var no refusal
	if errors.As(err, &no) {
		return "", tokenFault("%w", no)
	}
	if err != nil {
		return "", tokenFault("asking %s: no answer", cut(u.Host))
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", tokenFault("asking %s: the answer cannot be read", cut(u.Host))
	}
	var got struct {
		Value string `json:"value"`
	}
	if json.Unmarshal(raw, &got) != nil || got.Value == "" {
		return "", tokenFault("asking %s: the answer holds no token", cut(u.Host))
	}
	return got.Value, nil
}

// tokenFault is an error on the way to a token. It never holds one.
func tokenFault(format string, args ...any) error {
	return fault.New(fault.Attest, "try again; on GitHub the job needs `permissions: id-token: write`", "fetching the identity token: %w", fmt.Errorf(format, args...))
}

// claims are what is read of a token. Fulcio verifies it, not this program.
type claims struct {
	Issuer string `json:"iss"`
	Expiry int64  `json:"exp"`
}

func (c claims) expires() time.Time {
	if c.Expiry == 0 {
		return time.Time{}
	}
	return time.Unix(c.Expiry, 0)
}

func readClaims(token string) (claims, error) {
	var c claims
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, tokenFault("it is no JSON Web Token")
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(raw, &c) != nil || c.Issuer == "" {
		return c, tokenFault("its claims cannot be read")
	}
	if at := c.expires(); !at.IsZero() && time.Now().After(at) {
		return c, tokenFault("it expired at %s", at.UTC().Format(time.RFC3339))
	}
	return c, nil
}
