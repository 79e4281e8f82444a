package exercise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
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
func URL(t Target, s string) (string, error) {
	if t.Address() == "" {
		return "", errors.New("the workload has no network")
	}
	if strings.HasPrefix(s, "/") || strings.HasPrefix(s, ":") {
		hostport := s
		if strings.HasPrefix(s, "/") {
			if len(t.Ports()) == 0 {
				return "", fmt.Errorf("the workload has no TCP port to ask for %q", s)
			}
			hostport = ":" + strconv.Itoa(t.Ports()[0]) + s
		}
		s = "http://" + workloadHost + hostport
	}
	u, err := url.Parse(s)
	if err != nil {
		return "", fmt.Errorf("reading URL: %w", err)
	}
	if u.Hostname() == workloadHost {
		host := t.Address()
		if port := u.Port(); port != "" {
			u.Host = net.JoinHostPort(host, port)
		} else {
			u.Host = host
		}
	}
	return u.String(), nil
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
	u, err := URL(t, path)
	if err != nil {
		return false, err.Error()
	}
	status, err := get(ctx, u)
	if err != nil {
		return false, err.Error()
	}
	return status < 400, fmt.Sprintf("HTTP %d", status)
}
