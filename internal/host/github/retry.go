package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/vexxy/action/internal/bearer"
	"github.com/vexxy/action/internal/sticky"
)

// secondaryWait is how long to wait at a secondary limit without a word on it
// (https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api).
const secondaryWait = time.Minute

// fail reads what became of a request.
func fail(err error) sticky.Failure {
	if err == nil {
		return sticky.Failure{Kind: sticky.Answered}
	}
	resp, what := answerOf(err)
	if resp == nil {
		return sticky.Failure{Kind: sticky.Passing, What: text(err.Error(), 300)}
	}
	if what == "" {
		what = http.StatusText(resp.StatusCode)
	}
	f := sticky.Failure{
		Kind: sticky.Refused, Status: resp.StatusCode,
		What: text(fmt.Sprintf("%d %s", resp.StatusCode, what), 300), Wait: bearer.Asked(resp.Header, "X-RateLimit-"),
	}
	lower := strings.ToLower(what)
	switch {
	case resp.StatusCode >= 500 || resp.StatusCode == http.StatusRequestTimeout:
		f.Kind = sticky.Passing
	case resp.StatusCode == http.StatusTooManyRequests,
		resp.StatusCode == http.StatusForbidden && (f.Wait > 0 || strings.Contains(lower, "rate limit")):
		f.Kind = sticky.Limited
		if f.Wait == 0 {
			f.Wait = secondaryWait
		}
	case resp.StatusCode == http.StatusForbidden || resp.StatusCode == http.StatusUnauthorized:
		f.Kind = sticky.Denied
	case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone:
		f.Kind = sticky.Missing
	case resp.StatusCode == http.StatusUnprocessableEntity && strings.Contains(lower, "too long"):
		f.Kind = sticky.TooLong
	}
	return f
}

// patiently tries a request until it is answered, fails for good, or the API's
// budget does not last.
func (a *API) patiently(ctx context.Context, try func(context.Context) sticky.Failure) sticky.Failure {
	ctx, cancel := context.WithTimeoutCause(ctx, a.budget, fmt.Errorf("not done after %s", a.budget))
	defer cancel()
	p := sticky.Patience{Until: time.Now().Add(a.budget), Next: a.backoff}
	return p.Try(ctx, try)
}

// answerOf finds the response in the library's errors, and what it says.
func answerOf(err error) (*http.Response, string) {
	var limit *gh.RateLimitError
	var abuse *gh.AbuseRateLimitError
	var other *gh.ErrorResponse
	switch {
	case errors.As(err, &limit):
		return limit.Response, limit.Message
	case errors.As(err, &abuse):
		return abuse.Response, abuse.Message
	case errors.As(err, &other):
		what := other.Message
		for _, e := range other.Errors {
			what += ": " + e.Message
		}
		return other.Response, what
	}
	return nil, ""
}
