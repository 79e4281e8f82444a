package github

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/vexxy/action/internal/bearer"
	"github.com/vexxy/action/internal/fault"
)

// API is GitHub's, for one token.
type API struct {
	client  *gh.Client
	graphql string
	// budget bounds all that one call of a method takes, request each of its
	// requests; backoff is the first wait after a failure that may pass, settle
	// how long a comment is watched after it was written.
	budget, request, backoff, settle time.Duration
}

// maxResponse bounds one answer, in bytes: 100 comments of the greatest length.
const maxResponse = 32 << 20

// NewAPI makes a client of the API that the job's environment names, github.com
// or a server of one's own. The token goes nowhere else.
func NewAPI(getenv func(string) string, token string) (*API, error) {
	base := bearer.Address(strings.TrimRight(getenv("GITHUB_API_URL"), "/") + "/")
	if base == nil {
		return nil, fault.New(fault.Publish, "it is set by GitHub's runner", "reading GITHUB_API_URL: it is no address")
	}
	if token == "" {
		return nil, fault.New(fault.Publish, "pass ${{ github.token }} as github-token", "reaching GitHub's API: there is no token")
	}
	client := gh.NewClient(bearer.Client(base, "Authorization", "Bearer "+token, maxResponse, http.DefaultTransport))
	client.BaseURL, client.UserAgent = base, "vexxy"
	a := &API{client: client, budget: 2 * time.Minute, request: 20 * time.Second, backoff: time.Second, settle: 2 * time.Second}
	// Of a server of one's own, both are on one host.
	if u, err := url.Parse(getenv("GITHUB_GRAPHQL_URL")); err == nil && u.Host == base.Host && u.Scheme == base.Scheme {
		a.graphql = u.String()
	}
	return a, nil
}

// defaultLogin is the author of what GITHUB_TOKEN writes.
const defaultLogin = "github-actions[bot]"

// login is whose token this is. GraphQL tells it of every kind of token; where
// it cannot be asked it is taken for the job's own.
func (a *API) login(ctx context.Context) string {
	if a.graphql == "" {
		return defaultLogin
	}
	ctx, cancel := a.once(ctx)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.graphql, bytes.NewReader([]byte(`{"query":"query{viewer{login}}"}`)))
	if err != nil {
		return defaultLogin
	}
	resp, err := a.client.Client().Do(r)
	if err != nil {
		return defaultLogin
	}
	defer resp.Body.Close()
	var got struct {
		Data struct{ Viewer struct{ Login string } }
	}
	if json.NewDecoder(resp.Body).Decode(&got) != nil || got.Data.Viewer.Login == "" {
		return defaultLogin
	}
	return got.Data.Viewer.Login
}

// once is the context of one request.
func (a *API) once(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, a.request, fmt.Errorf("no answer within %s", a.request))
}
