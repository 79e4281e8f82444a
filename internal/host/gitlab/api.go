package gitlab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	gl "gitlab.com/gitlab-org/api/client-go"
	"golang.org/x/time/rate"

	"github.com/vexxy/action/internal/bearer"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/sticky"
)

// API is GitLab's, for one token.
type API struct {
	client *gl.Client
	// budget bounds all that one call of a method takes, request each of its
	// requests; backoff is the first wait after a failure that may pass, settle
	// how long a note is watched after it was written.
	budget, request, backoff, settle time.Duration
}

// pageSize is how many notes are asked for at once, maxResponse bounds one
// answer, in bytes: that many notes of the greatest length.
const (
	pageSize    = 30
	maxResponse = 32 << 20
)

// tokenHint says what a token must be.
const tokenHint = "give gitlab-token a project or group access token with the scope api and the role Reporter or higher, in a masked variable: CI_JOB_TOKEN may not write notes"

// NewAPI makes a client of the API that the job's environment names. The token
// goes nowhere else.
func NewAPI(getenv func(string) string, token string) (*API, error) {
	base := bearer.Address(strings.TrimRight(getenv("CI_API_V4_URL"), "/"))
	if base == nil {
		return nil, fault.New(fault.Publish, "it is set by GitLab's runner", "reading CI_API_V4_URL: it is no address")
	}
	if token == "" {
		return nil, fault.New(fault.Publish, tokenHint, "reaching GitLab's API: there is no token")
	}
	transport, err := trusting(getenv("CI_SERVER_TLS_CA_FILE"))
	if err != nil {
		return nil, err
	}
	client, err := gl.NewClient("",
		gl.WithBaseURL(base.String()), gl.WithUserAgent("vexxy"), gl.WithoutRetries(),
		gl.WithCustomLimiter(rate.NewLimiter(rate.Inf, 0)), gl.WithURLWarningLogger(slog.New(slog.DiscardHandler)),
		gl.WithHTTPClient(bearer.Client(base, "PRIVATE-TOKEN", token, maxResponse, transport)))
	if err != nil {
		return nil, fault.New(fault.Publish, "it is set by GitLab's runner", "reading CI_API_V4_URL: %w", err)
	}
	return &API{client: client, budget: 2 * time.Minute, request: 20 * time.Second, backoff: time.Second, settle: 2 * time.Second}, nil
}

// trusting is the default transport, which also trusts the authorities of a
// file, where the runner names one for its server.
func trusting(file string) (http.RoundTripper, error) {
	if file == "" {
		return http.DefaultTransport, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	pem, err := os.ReadFile(file)
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		return nil, fault.New(fault.Publish, "it is set by GitLab's runner", "reading CI_SERVER_TLS_CA_FILE: it holds no certificates")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return transport, nil
}

// once is the context of one request.
func (a *API) once(ctx context.Context) (gl.RequestOptionFunc, context.CancelFunc) {
	ctx, cancel := context.WithTimeoutCause(ctx, a.request, fmt.Errorf("no answer within %s", a.request))
	return gl.WithContext(ctx), cancel
}

// errNoList is null for a list: one that is empty is something else.
var errNoList = errors.New("the answer is no list")

// limitedWait is how long to wait where GitLab limits requests without a word
// on it: most of its limits are by the minute.
const limitedWait = time.Minute

// fail reads what became of a request.
func fail(resp *gl.Response, err error) sticky.Failure {
	if err == nil {
		return sticky.Failure{Kind: sticky.Answered}
	}
	if resp == nil || resp.StatusCode < 300 { // none, or one that cannot be read
		return sticky.Failure{Kind: sticky.Passing, What: text(err.Error(), 300)}
	}
	what := http.StatusText(resp.StatusCode)
	var refusal *gl.ErrorResponse
	if errors.As(err, &refusal) && refusal.Message != "" {
		what = refusal.Message
	}
	f := sticky.Failure{
		Kind: sticky.Refused, Status: resp.StatusCode,
		What: text(fmt.Sprintf("%d %s", resp.StatusCode, what), 300), Wait: bearer.Asked(resp.Header, "RateLimit-"),
	}
	switch status := resp.StatusCode; {
	case status >= 500 || status == http.StatusRequestTimeout:
		f.Kind = sticky.Passing
	case status == http.StatusTooManyRequests:
		f.Kind = sticky.Limited
		if f.Wait == 0 {
			f.Wait = limitedWait
		}
	case status == http.StatusForbidden || status == http.StatusUnauthorized:
		f.Kind = sticky.Denied
	case status == http.StatusNotFound || status == http.StatusGone:
		f.Kind = sticky.Missing
	case status == http.StatusRequestEntityTooLarge,
		(status == http.StatusUnprocessableEntity || status == http.StatusBadRequest) && strings.Contains(strings.ToLower(what), "too long"):
		f.Kind = sticky.TooLong
	}
	return f
}

// ask repeats one request until it is answered, fails for good, or the budget
// is used up.
func (a *API) ask(ctx context.Context, try func(gl.RequestOptionFunc) (*gl.Response, error)) sticky.Failure {
	p := sticky.Patience{Until: time.Now().Add(a.budget), Next: a.backoff}
	return p.Try(ctx, func(ctx context.Context) sticky.Failure {
		once, cancel := a.once(ctx)
		defer cancel()
		return fail(try(once))
	})
}
