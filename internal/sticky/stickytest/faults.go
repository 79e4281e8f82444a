package stickytest

import (
	"testing"
	"time"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/sticky"
)

// Held holds what stands in a thread after a post that met a fault: a stranger's
// "nice", and at most one of ours. A new text says "after"; one that the post
// found there and was to change says "before". deleted is how many it removed.
func Held(t *testing.T, bodies []string, deleted int, changing bool, f Fault, err error) {
	t.Helper()
	if len(bodies) == 0 || bodies[0] != "nice" || len(bodies) > 2 {
		t.Errorf("the thread has %q", bodies)
		return
	}
	said := ""
	if len(bodies) == 2 {
		_, said, _ = sticky.ReadMark(bodies[1])
	}
	switch {
	case err == nil && said != "after":
		t.Errorf("no error, and ours says %q", said)
	case err != nil && fault.HintOf(err) == "":
		t.Errorf("%v: no hint", err)
	case err != nil && said == "after" && !f.Done:
		t.Errorf("%v, and ours is there", err)
	case changing && said != "before" && said != "after":
		t.Errorf("ours says %q", said)
	}
	if deleted != 0 {
		t.Errorf("%d were deleted", deleted)
	}
}

// Faults are the ways in which a request to any API goes wrong, by names of
// which the first word is the status or "a" or "no".
func Faults() map[string]Fault {
	header := func(name, value string) map[string]string { return map[string]string{name: value} }
	return map[string]Fault{
		"500":                    {Status: 500, Body: `{"message":"oops"}`},
		"500 after it was done":  {Status: 500, Done: true},
		"502 of a proxy":         {Status: 502, Body: "<html><h1>Bad gateway</h1>"},
		"503 with Retry-After":   {Status: 503, Header: header("Retry-After", "1")},
		"504 after it was done":  {Status: 504, Done: true},
		"400":                    {Status: 400, Body: `{"message":"Problems parsing JSON"}`},
		"401":                    {Status: 401, Body: `{"message":"Bad credentials"}`},
		"403":                    {Status: 403, Body: `{"message":"Resource not accessible by integration"}`},
		"404":                    {Status: 404, Body: `{"message":"Not Found"}`},
		"408":                    {Status: 408},
		"410":                    {Status: 410, Body: `{"message":"This was deleted"}`},
		"422":                    {Status: 422, Body: `{"message":"Validation Failed"}`},
		"429":                    {Status: 429, Header: header("Retry-After", "1")},
		"429 with nonsense":      {Status: 429, Header: header("Retry-After", "-1e9")},
		"elsewhere":              {Status: 302, Header: header("Location", "http://127.0.0.1:1/")},
		"a loop":                 {Status: 302, Header: header("Location", "/")},
		"no JSON":                {Status: 200, Body: "<html>", Done: true},
		"other JSON":             {Status: 200, Body: `[{"id":"x","body":{},"user":[],"author":[]}]`, Done: true},
		"null":                   {Status: 200, Body: "null", Done: true},
		"nothing":                {Status: 200, Done: true},
		"endless":                {Status: 200, Body: "[", Done: true, Endless: true},
		"no answer":              {Status: 200, Hang: time.Minute},
		"no answer, but done":    {Status: 200, Done: true, Hang: time.Minute},
		"a lost connection":      {Drop: true},
		"a late lost connection": {Drop: true, Done: true},
	}
}
