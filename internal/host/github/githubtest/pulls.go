package githubtest

import "net/http"

// Head is a pull request as the list of them shows it: its number, and the
// commit and branch of a repository that it wants to be merged.
type Head struct {
	Number      int
	SHA, Branch string
	Owner       string
	Repo        int64 // 0 for a fork that was deleted
	Closed      bool
}

// pulls lists pull requests by state and head, as GitHub does: a head that it
// cannot make sense of is passed over.
func (s *Server) pulls(r *http.Request) []any {
	all := []any{}
	for _, h := range s.Heads {
		state := "open"
		if h.Closed {
			state = "closed"
		}
		if want := r.URL.Query().Get("state"); want != "all" && want != state {
			continue
		}
		if want := r.URL.Query().Get("head"); want != "" && want != h.Owner+":"+h.Branch {
			continue
		}
		var repo any
		if h.Repo != 0 {
			repo = map[string]any{"id": h.Repo}
		}
		all = append(all, map[string]any{
			"number": h.Number, "state": state,
			"head": map[string]any{"sha": h.SHA, "ref": h.Branch, "repo": repo},
			"base": map[string]any{"repo": map[string]any{"id": 1}},
		})
	}
	return all
}
