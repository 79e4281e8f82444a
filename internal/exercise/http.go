package exercise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The bounds of one HTTP request to the workload, which is hostile.
const (
	requestTimeout = 10 * time.Second
	maxBody        = 4 << 20
	maxHeader      = 64 << 10
)

// workloadHost is the host name in URLs that stands for the workload's address.
const workloadHost = "workload"

// URL resolves a path or URL of the plan against the target: a path is asked
// for at the first port by plain HTTP.
func URL(ctx context.Context, t Target, s string) (string, error) {
	if !t.Networked() {
		return "", errors.New("the workload has no network")
	}
	switch {
	case strings.HasPrefix(s, "/"):
		if len(t.Ports()) == 0 {
			return "", fmt.Errorf("the workload has no TCP port to ask for %q", s)
		}
		s = "http://" + workloadHost + ":" + strconv.Itoa(t.Ports()[0]) + s
	case strings.HasPrefix(s, ":"):
		s = "http://" + workloadHost + s
	}
	u, err := url.Parse(s)
	if err != nil {
		return "", fmt.Errorf("reading URL: %w", err)
	}
	if u.Hostname() != workloadHost {
		return u.String(), nil
	}
	port, err := portOf(u)
	if err != nil {
		return "", err
	}
	if u.Host, err = t.Endpoint(ctx, port); err != nil {
		return "", fmt.Errorf("reaching port %d: %w", port, err)
	}
	return u.String(), nil
}

// portOf is a URL's port, or its scheme's.
func portOf(u *url.URL) (int, error) {
	switch {
	case u.Port() != "":
		return strconv.Atoi(u.Port())
	case u.Scheme == "https":
		return 443, nil
	}
	return 80, nil
}

// get asks once and gives the status code. Redirects are not followed: they
// could lead anywhere.
func get(ctx context.Context, rawURL string) (int, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, requestTimeout, fmt.Errorf("no answer within %s", requestTimeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return 0, err
	}
	transport := &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: maxHeader}
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return 0, cause
		}
		return 0, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxBody)); err != nil {
		return 0, fmt.Errorf("reading answer: %w", err)
	}
	return resp.StatusCode, nil
}

// probe requests one path; a status below 400 passes.
func (p Plan) probe(ctx context.Context, t Target, path string) (bool, string) {
	u, err := URL(ctx, t, path)
	if err != nil {
		return false, err.Error()
	}
	status, err := get(ctx, u)
	if err != nil {
		return false, err.Error()
	}
	return status < 400, fmt.Sprintf("HTTP %d", status)
}
