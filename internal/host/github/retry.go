package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/vexxy/action/internal/fault"
)

// kind is what a failed request means for the next one.
type kind int

const (
	passing  kind = iota // it may work again: 5xx, a time-out, a lost connection
	limited              // too many requests
	denied               // the token may not
	missing              // not there, or not for this token
	tooLong              // the text
	refused              // anything else
	answered             // no failure
)

// failure is a request that failed. An answer that got lost is passing: the
// request may have taken effect.
type failure struct {
	kind   kind
	status int
	wait   time.Duration // asked for by GitHub; 0 where it did not
	what   string
}

// secondaryWait is how long to wait at a secondary limit without a word on it
// (https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api).
const secondaryWait = time.Minute

// fail reads what became of a request.
func fail(err error) failure {
	if err == nil {
		return failure{kind: answered}
	}
	resp, what := answerOf(err)
	if resp == nil {
		return failure{kind: passing, what: text(err.Error(), 300)}
	}
	if what == "" {
		what = http.StatusText(resp.StatusCode)
	}
	f := failure{kind: refused, status: resp.StatusCode, what: text(fmt.Sprintf("%d %s", resp.StatusCode, what), 300), wait: asked(resp)}
	lower := strings.ToLower(what)
	switch {
	case resp.StatusCode >= 500 || resp.StatusCode == http.StatusRequestTimeout:
		f.kind = passing
	case resp.StatusCode == http.StatusTooManyRequests,
		resp.StatusCode == http.StatusForbidden && (f.wait > 0 || strings.Contains(lower, "rate limit")):
		f.kind = limited
		if f.wait == 0 {
			f.wait = secondaryWait
		}
	case resp.StatusCode == http.StatusForbidden || resp.StatusCode == http.StatusUnauthorized:
		f.kind = denied
	case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone:
		f.kind = missing
	case resp.StatusCode == http.StatusUnprocessableEntity && strings.Contains(lower, "too long"):
		f.kind = tooLong
	}
	return f
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

// asked is how long the response asks to wait: Retry-After, or until the limit
// is set anew.
func asked(resp *http.Response) time.Duration {
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds >= 0 {
		return time.Duration(max(1, min(seconds, 24*60*60))) * time.Second
	}
	if resp.Header.Get("X-RateLimit-Remaining") == "0" {
		if at, err := strconv.ParseInt(resp.Header.Get("X-RateLimit-Reset"), 10, 64); err == nil {
			return max(time.Second, min(24*time.Hour, time.Until(time.Unix(at+1, 0))))
		}
	}
	return 0
}

// patience is what is left of a budget of waiting.
type patience struct {
	until time.Time
	next  time.Duration
}

// wait waits as long as a failure asks for, else longer each time. Where the
// budget does not last that long the error says so at once.
func (p *patience) wait(ctx context.Context, f failure) error {
	wait := f.wait
	if wait == 0 {
		wait = p.next
		p.next *= 2
	}
	if left := time.Until(p.until); wait > left {
		return fmt.Errorf("%s; waiting %s more is beyond what is left for it", f.what, wait.Round(time.Millisecond))
	}
	return pause(ctx, wait)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// explain makes the one notice of a failure that stays, with what to do.
func explain(doing string, f failure, permission string) error {
	hint := "publishing is tried again with the next run"
	switch f.kind {
	case denied:
		hint = fmt.Sprintf("add `%s` to the job's permissions; requests of Dependabot and of forks have a token that can read alone", permission)
		if strings.Contains(strings.ToLower(f.what), "locked") {
			hint = "unlock the conversation of the pull request, or set comment to never"
		}
		if f.status == http.StatusUnauthorized {
			hint = fmt.Sprintf("github-token is not valid any more: pass ${{ github.token }}, with `%s` in the job's permissions", permission)
		}
	case missing:
		hint = fmt.Sprintf("add `%s` to the job's permissions: GitHub also answers so to a token that may not see it", permission)
	case limited:
		hint = "GitHub limits the requests of this token: run fewer jobs at a time, or set comment to on-change"
	case tooLong, refused:
		hint = "comment.md in the output directory has the text"
	}
	return fault.New(fault.Publish, hint, "%s: %s", doing, f.what)
}
