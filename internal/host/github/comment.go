package github

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	gh "github.com/google/go-github/v60/github"

	"github.com/vexxy/action/internal/fault"
)

// When says when there is to be a comment.
type When string

// The values of the input comment.
const (
	Always     When = "always"
	OnChange   When = "on-change"   // keep the text while the statements are the same
	OnAffected When = "on-affected" // begin none while nothing is affected
	Never      When = "never"
)

// MaxComment is the longest comment, in characters
// (https://docs.github.com/rest/issues/comments).
const MaxComment = 65536

// Comment is what a run has to say on its pull request.
type Comment struct {
	// Key names the comment among all of the tool's on one pull request, Own
	// does so more narrowly: it is used where another job of the same run has
	// taken Key, such as the legs of a matrix that call one reusable workflow.
	// Empty, it is not used. State is equal for results that say the same. All
	// three are made by Digest.
	Key, Own, State string
	// Order is how new the run is.
	Order Order
	When  When
	// Affected says that something is; Unjudged that not all was judged, so that
	// what an earlier comment told of may be affected still.
	Affected, Unjudged bool
	// Body renders the text in at most limit characters. resolved says that it takes
	// the place of one that told of something affected, and nothing is any more.
	Body func(limit int, resolved bool) []byte
}

// Posted is what became of a comment.
type Posted struct {
	// URL leads to it; empty where there is none.
	URL string
	// Did is what was done: "posted", "updated", "kept" (the statements are the
	// same), "left to a newer run", "not needed".
	Did string
}

// commentPermission is what a job must have to comment.
const commentPermission = "pull-requests: write"

// maxRounds bounds how often a comment is looked at in one Post.
const maxRounds = 40

// Post brings the comment of this key on a pull request up to date: the one by
// the same author that begins with the key's mark, else a new one. It looks
// before each write, so that a write whose answer got lost is not made twice;
// it never replaces a newer run's text, and looks again once the others have
// had their time. Of comments that were begun at the same moment the oldest
// stays; a run takes away only what it has itself just posted in excess.
// Nothing else is ever deleted.
func (a *API) Post(ctx context.Context, owner, repo string, pull int, c Comment) (Posted, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, a.budget, fmt.Errorf("not done after %s", a.budget))
	defer cancel()
	p := &poster{
		api: a, owner: owner, repo: repo, pull: pull, comment: c, keys: []string{c.Own, c.Key}, login: a.login(ctx), limit: MaxComment,
		patience: patience{until: time.Now().Add(a.budget), next: a.backoff},
	}
	for range maxRounds {
		posted, done, f := p.round(ctx)
		if done {
			return posted, nil
		}
		switch f.kind {
		case answered:
		case passing, limited:
			if err := p.patience.wait(ctx, f); err != nil {
				f.what = err.Error()
				return Posted{}, explain("commenting", f, commentPermission)
			}
		case tooLong:
			if p.limit /= 2; p.limit < 1<<10 {
				return Posted{}, explain("commenting", f, commentPermission)
			}
		default:
			return Posted{}, explain("commenting", f, commentPermission)
		}
	}
	return Posted{}, fault.New(fault.Publish, "", "commenting: others keep changing the comment")
}

// poster is one Post under way.
type poster struct {
	api         *API
	owner, repo string
	pull        int
	comment     Comment
	login       string
	limit       int
	patience    patience

	keys    []string // those of the comment, the narrowest first
	mine    int64    // the comment that this run has begun
	did     string
	settled bool
}

// sighting is a comment of our key as it is.
type sighting struct {
	id   int64
	url  string
	mark mark
	rest string
}

// round looks, and then does one thing.
func (p *poster) round(ctx context.Context) (posted Posted, done bool, f failure) {
	found, f := p.find(ctx)
	switch {
	case f.kind != answered:
		return Posted{}, false, f
	case found == nil:
		if p.comment.When == OnAffected && !p.comment.Affected {
			return Posted{Did: "not needed"}, true, f
		}
		return Posted{}, false, p.begin(ctx)
	}
	order := found.mark.order.Compare(p.comment.Order)
	switch {
	case p.taken(found):
		p.keys = p.keys[:1] // and look again
		if p.mine != 0 && p.mine != found.id {
			return Posted{}, false, p.drop(ctx)
		}
		p.mine = 0
		return Posted{}, false, f
	case order < 0:
		return Posted{}, false, p.update(ctx, found)
	case p.mine != 0 && found.id != p.mine: // another was quicker
		return Posted{}, false, p.drop(ctx)
	case order > 0:
		return Posted{URL: found.url, Did: "left to a newer run"}, true, f
	case p.settled:
		return Posted{URL: found.url, Did: p.did}, true, f
	}
	// It is there. An older run that looked before we wrote may yet write.
	p.settled = true
	if err := pause(ctx, p.api.settle); err != nil {
		return Posted{URL: found.url, Did: p.did}, true, f
	}
	return Posted{}, false, f
}

// taken reports whether another job of the very same run has the comment, so
// that ours is to be one of its own.
func (p *poster) taken(found *sighting) bool {
	o := found.mark.order
	return found.mark.key != p.comment.Own && p.comment.Own != "" && o != p.comment.Order && o.sameRun(p.comment.Order)
}

// find gives the oldest comment of the narrowest key that has one; nil when none
// has.
func (p *poster) find(ctx context.Context) (*sighting, failure) {
	const maxPages = 50
	var found *sighting
	o := &gh.IssueListCommentsOptions{ListOptions: gh.ListOptions{PerPage: 100, Page: 1}}
	for ; o.Page <= maxPages; o.Page++ {
		one, cancel := p.api.once(ctx)
		list, _, err := p.api.client.Issues.ListComments(one, p.owner, p.repo, p.pull, o)
		cancel()
		if err != nil {
			return nil, fail(err)
		}
		for _, c := range list {
			s := p.ours(c)
			if s != nil && s.mark.key == p.keys[0] {
				return s, failure{kind: answered}
			}
			if found == nil {
				found = s
			}
		}
		if len(list) < o.PerPage {
			break
		}
	}
	if found != nil || p.mine == 0 {
		return found, failure{kind: answered}
	}
	// A list may lag behind. What we have begun ourselves is there, unless
	// somebody has deleted it.
	ctx, cancel := p.api.once(ctx)
	defer cancel()
	c, resp, err := p.api.client.Issues.GetComment(ctx, p.owner, p.repo, p.mine)
	if resp != nil && resp.StatusCode == http.StatusNotFound {
		p.mine = 0
		return nil, failure{kind: answered}
	}
	if err != nil {
		return nil, fail(err)
	}
	if s := p.ours(c); s != nil {
		return s, failure{kind: answered}
	}
	// It is not as we wrote it, and ours all the same: another would be no better.
	return &sighting{id: p.mine, url: address(c.GetHTMLURL()), mark: mark{key: p.keys[0], order: p.comment.Order}}, failure{kind: answered}
}

// ours reads a comment if it is of one of our keys and by whom our token belongs to.
func (p *poster) ours(c *gh.IssueComment) *sighting {
	if c.GetUser().GetLogin() != p.login {
		return nil
	}
	m, rest, ok := readMark(c.GetBody())
	if !ok || !slices.Contains(p.keys, m.key) {
		return nil
	}
	return &sighting{id: c.GetID(), url: address(c.GetHTMLURL()), mark: m, rest: rest}
}

func (p *poster) begin(ctx context.Context) failure {
	body := p.text(p.keys[len(p.keys)-1], p.comment.Affected, false)
	ctx, cancel := p.api.once(ctx)
	defer cancel()
	c, _, err := p.api.client.Issues.CreateComment(ctx, p.owner, p.repo, p.pull, &gh.IssueComment{Body: &body})
	p.did, p.settled = "posted", false
	if err == nil {
		p.mine = c.GetID()
		if login := c.GetUser().GetLogin(); login != "" {
			p.login = login // which was assumed, where it could not be asked for
		}
	}
	return fail(err)
}

func (p *poster) update(ctx context.Context, found *sighting) failure {
	affected := p.comment.Affected || p.comment.Unjudged && found.mark.affected
	body, did := p.text(found.mark.key, affected, found.mark.affected && !affected), "updated"
	if p.comment.When == OnChange && found.mark.state == p.comment.State {
		body, did = p.head(found.mark.key, affected)+found.rest, "kept"
	}
	ctx, cancel := p.api.once(ctx)
	defer cancel()
	_, _, err := p.api.client.Issues.EditComment(ctx, p.owner, p.repo, found.id, &gh.IssueComment{Body: &body})
	if p.did != "posted" {
		p.did = did
	}
	p.settled = false
	return fail(err)
}

// drop takes away the comment that this very run has posted beside another's.
func (p *poster) drop(ctx context.Context) failure {
	ctx, cancel := p.api.once(ctx)
	defer cancel()
	resp, err := p.api.client.Issues.DeleteComment(ctx, p.owner, p.repo, p.mine)
	if err != nil && (resp == nil || resp.StatusCode != http.StatusNotFound) {
		return fail(err)
	}
	p.mine = 0
	return failure{kind: answered}
}

func (p *poster) head(key string, affected bool) string {
	return mark{key, p.comment.Order, p.comment.State, affected}.String()
}

func (p *poster) text(key string, affected, resolved bool) string {
	head := p.head(key, affected)
	left := p.limit - len(head)
	text := strings.ToValidUTF8(string(p.comment.Body(left, resolved)), "\ufffd")
	if characters(text) > left {
		text = string(Cut([]byte(text), left))
	}
	return head + text
}

// characters counts as GitHub does at most: in UTF-16.
func characters(s string) int { return len(utf16.Encode([]rune(s))) }

// address gives a URL of the API's if it is one.
func address(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || len(s) > 2000 {
		return ""
	}
	return u.String()
}
