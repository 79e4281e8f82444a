package bearer

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// What is longer than its bound is an error, and what fills it is not.
func TestAnswersAreBounded(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Token") != "t" {
			t.Error("there is no token")
		}
		fmt.Fprint(w, strings.Repeat("x", 1000))
	}))
	defer server.Close()
	for max, want := range map[int64]error{999: ErrTooLong, 1000: nil, 1: ErrTooLong, 0: ErrTooLong, 2000: nil} {
		resp, err := Client(Address(server.URL), "X-Token", "t", max, http.DefaultTransport).Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if !errors.Is(err, want) || int64(len(data)) > max {
			t.Errorf("at most %d: %d bytes, %v", max, len(data), err)
		}
	}
	if _, err := Client(Address("https://api.example"), "X-Token", "t", 1, http.DefaultTransport).Get(server.URL); err == nil {
		t.Error("another host is asked")
	}
}

func TestAsked(t *testing.T) {
	header := func(kv ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(kv); i += 2 {
			h.Set(kv[i], kv[i+1])
		}
		return h
	}
	soon := fmt.Sprint(time.Now().Add(time.Minute).Unix())
	for _, c := range []struct {
		header   http.Header
		from, to time.Duration
	}{
		{nil, 0, 0}, {header("Retry-After", "7"), 7 * time.Second, 7 * time.Second}, {header("Retry-After", "0"), time.Second, time.Second},
		{header("Retry-After", "-1"), 0, 0}, {header("Retry-After", "99999999"), 24 * time.Hour, 24 * time.Hour},
		{header("X-Remaining", "0", "X-Reset", soon), 50 * time.Second, 70 * time.Second}, {header("X-Remaining", "1", "X-Reset", soon), 0, 0},
		{header("X-Remaining", "0", "X-Reset", "1"), time.Second, time.Second}, {header("X-Remaining", "0", "X-Reset", "soon"), 0, 0},
	} {
		if got := Asked(c.header, "X-"); got < c.from || got > c.to {
			t.Errorf("%v: %s", c.header, got)
		}
	}
}

func TestAddresses(t *testing.T) {
	for s, want := range map[string]bool{"https://a.example/x": true, "http://127.0.0.1:1": true, "": false, "javascript:alert(1)": false, "//a": false, "ftp://a": false, "https://a.example/" + strings.Repeat("x", 2000): false} {
		if got := Link(s) != ""; got != want {
			t.Errorf("%q: %v", s, got)
		}
	}
}
