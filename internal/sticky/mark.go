package sticky

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
)

// Mark is the first line of a comment, which no reader sees: whose comment it
// is, how new, and what it says in short.
type Mark struct {
	Key   string
	Order Order
	State string
	// Affected says that it tells of something affected.
	Affected bool
}

// Order tells a newer run of one workflow from an older one. A run that is
// started again stays as old as its code is.
type Order struct {
	Run, Attempt int64
	// Started is the run's start, in ns since 1970: steps of one job differ by
	// it.
	Started int64
}

// Compare is negative when o is older than p.
func (o Order) Compare(p Order) int {
	return cmp.Or(cmp.Compare(o.Run, p.Run), cmp.Compare(o.Attempt, p.Attempt), cmp.Compare(o.Started, p.Started))
}

// sameRun reports whether both are of one attempt of one run.
func (o Order) sameRun(p Order) bool { return o.Run == p.Run && o.Attempt == p.Attempt }

var markLine = regexp.MustCompile(`^<!-- vexxy:comment key=([0-9a-f]{32}) order=([0-9]{1,19})\.([0-9]{1,19})\.([0-9]{1,19}) state=([0-9a-f]{32}) affected=(true|false) -->\r?\n`)

func (m Mark) String() string {
	return fmt.Sprintf("<!-- vexxy:comment key=%s order=%d.%d.%d state=%s affected=%t -->\n",
		m.Key, m.Order.Run, m.Order.Attempt, m.Order.Started, m.State, m.Affected)
}

// ReadMark gives a comment's mark and the text below it. A mark anywhere but in
// the first line is none: a quotation is not the comment.
func ReadMark(body string) (m Mark, rest string, ok bool) {
	got := markLine.FindStringSubmatch(body)
	if got == nil {
		return Mark{}, "", false
	}
	m = Mark{Key: got[1], State: got[5], Affected: got[6] == "true"}
	for i, field := range []*int64{&m.Order.Run, &m.Order.Attempt, &m.Order.Started} {
		n, err := strconv.ParseInt(got[2+i], 10, 64)
		if err != nil {
			return Mark{}, "", false
		}
		*field = n
	}
	return m, body[len(got[0]):], true
}

// Digest gives a key or a state from what it is made of.
func Digest(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(h, "%d:%s\n", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil))[:32]
}
