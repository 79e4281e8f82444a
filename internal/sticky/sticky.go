// Package sticky keeps one comment on a change, a pull or merge request,
// wherever its host keeps comments: found by a mark in its first line and by
// its author, brought up to date in place, never overwritten by an older run.
package sticky

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Board is where a host keeps the comments on one change. Each call is one
// request.
type Board interface {
	// List gives one page of the comments, the first is 1, the oldest comment
	// first. more says that there are further pages.
	List(ctx context.Context, page int) (list []Entry, more bool, f Failure)
	// Get gives one comment; Missing where it is gone.
	Get(ctx context.Context, id int64) (Entry, Failure)
	Create(ctx context.Context, body string) (Entry, Failure)
	Update(ctx context.Context, id int64, body string) Failure
	// Delete takes a comment away; it is no failure where it is gone.
	Delete(ctx context.Context, id int64) Failure
}

// Options are the bounds of one Post.
type Options struct {
	// Author is who writes with the run's token, as entries name it. Where that
	// is an assumption, the first answer to a write corrects it.
	Author string
	// Limit is the longest comment that the host takes, in characters.
	Limit int
	// Budget bounds all of it, Backoff is the first wait after a failure that may
	// pass, Settle how long the comment is watched after it was written.
	Budget, Backoff, Settle time.Duration
}

// MaxRounds bounds how often a comment is looked at in one Post.
const MaxRounds = 40

// Post brings the comment of this key up to date: the one by the same author
// that begins with the key's mark, else a new one. It looks before each write,
// so that a write whose answer got lost is not made twice; it never replaces a
// newer run's text, and looks again once the others have had their time. Of
// comments that were begun at the same moment the oldest stays; a run takes
// away only what it has itself just posted in excess. Nothing else is ever
// deleted. The failure is of the kind Answered, or the one that stayed.
func Post(ctx context.Context, board Board, c Comment, o Options) (Posted, Failure) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.Budget, fmt.Errorf("not done after %s", o.Budget))
	defer cancel()
	p := &poster{
		board: board, comment: c, keys: []string{c.Own, c.Key}, author: o.Author, limit: o.Limit, settle: o.Settle,
		patience: Patience{Until: time.Now().Add(o.Budget), Next: o.Backoff},
	}
	for range MaxRounds {
		posted, done, f := p.round(ctx)
		if done {
			return posted, Failure{Kind: Answered}
		}
		switch f.Kind {
		case Answered:
		case Passing, Limited:
			if err := p.patience.Wait(ctx, f); err != nil {
				f.What = err.Error()
				return Posted{}, f
			}
		case TooLong:
			if p.limit /= 2; p.limit < 1<<10 {
				return Posted{}, f
			}
		default:
			return Posted{}, f
		}
	}
	return Posted{}, Failure{Kind: Passing, What: "others keep changing the comment"}
}

// poster is one Post under way.
type poster struct {
	board    Board
	comment  Comment
	author   string
	limit    int
	settle   time.Duration
	patience Patience

	keys    []string // those of the comment, the narrowest first
	mine    int64    // the comment that this run has begun
	did     string
	settled bool
}

// sighting is a comment of our key as it is.
type sighting struct {
	id   int64
	url  string
	mark Mark
	rest string
}

// round looks, and then does one thing.
func (p *poster) round(ctx context.Context) (posted Posted, done bool, f Failure) {
	found, f := p.find(ctx)
	switch {
	case f.Kind != Answered:
		return Posted{}, false, f
	case found == nil:
		if p.comment.When == OnAffected && !p.comment.Affected {
			return Posted{Did: "not needed"}, true, f
		}
		return Posted{}, false, p.begin(ctx)
	}
	order := found.mark.Order.Compare(p.comment.Order)
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
	if err := pause(ctx, p.settle); err != nil {
		return Posted{URL: found.url, Did: p.did}, true, f
	}
	return Posted{}, false, f
}

// taken reports whether another job of the very same run has the comment, so
// that ours is to be one of its own.
func (p *poster) taken(found *sighting) bool {
	o := found.mark.Order
	return found.mark.Key != p.comment.Own && p.comment.Own != "" && o != p.comment.Order && o.sameRun(p.comment.Order)
}

// find gives the oldest comment of the narrowest key that has one; nil when none
// has.
func (p *poster) find(ctx context.Context) (*sighting, Failure) {
	const maxPages = 200
	var found *sighting
	for page := 1; page <= maxPages; page++ {
		list, more, f := p.board.List(ctx, page)
		if f.Kind != Answered {
			return nil, f
		}
		for _, e := range list {
			s := p.ours(e)
			if s != nil && s.mark.Key == p.keys[0] {
				return s, f
			}
			if found == nil {
				found = s
			}
		}
		if !more {
			break
		}
	}
	if found != nil || p.mine == 0 {
		return found, Failure{Kind: Answered}
	}
	// A list may lag behind. What we have begun ourselves is there, unless
	// somebody has deleted it.
	e, f := p.board.Get(ctx, p.mine)
	switch {
	case f.Kind == Missing:
		p.mine = 0
		return nil, Failure{Kind: Answered}
	case f.Kind != Answered:
		return nil, f
	}
	if s := p.ours(e); s != nil {
		return s, f
	}
	// It is not as we wrote it, and ours all the same: another would be no better.
	return &sighting{id: p.mine, url: e.URL, mark: Mark{Key: p.keys[0], Order: p.comment.Order}}, f
}

// ours reads a comment if it is of one of our keys and by whom our token belongs
// to.
func (p *poster) ours(e Entry) *sighting {
	if e.Author != p.author {
		return nil
	}
	m, rest, ok := ReadMark(e.Body)
	if !ok || !slices.Contains(p.keys, m.Key) {
		return nil
	}
	return &sighting{id: e.ID, url: e.URL, mark: m, rest: rest}
}

func (p *poster) begin(ctx context.Context) Failure {
	e, f := p.board.Create(ctx, p.text(p.keys[len(p.keys)-1], p.comment.Affected, false))
	p.did, p.settled = "posted", false
	if f.Kind == Answered {
		p.mine = e.ID
		if e.Author != "" {
			p.author = e.Author
		}
	}
	return f
}

func (p *poster) update(ctx context.Context, found *sighting) Failure {
	affected := p.comment.Affected || p.comment.Unjudged && found.mark.Affected
	body, did := p.text(found.mark.Key, affected, found.mark.Affected && !affected), "updated"
	if p.comment.When == OnChange && found.mark.State == p.comment.State {
		body, did = p.head(found.mark.Key, affected)+found.rest, "kept"
	}
	if p.did != "posted" {
		p.did = did
	}
	p.settled = false
	return p.board.Update(ctx, found.id, body)
}

// drop takes away the comment that this very run has posted beside another's.
func (p *poster) drop(ctx context.Context) Failure {
	f := p.board.Delete(ctx, p.mine)
	if f.Kind == Answered {
		p.mine = 0
	}
	return f
}

func (p *poster) head(key string, affected bool) string {
	return Mark{key, p.comment.Order, p.comment.State, affected}.String()
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
