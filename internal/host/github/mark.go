package github

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// mark is the first line of a comment, which no reader sees: whose comment it
// is, how new, and what it says in short.
type mark struct {
	key   string
	order Order
	state string
	// affected says that it tells of something affected.
	affected bool
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

func (m mark) String() string {
	return fmt.Sprintf("<!-- vexxy:comment key=%s order=%d.%d.%d state=%s affected=%t -->\n",
		m.key, m.order.Run, m.order.Attempt, m.order.Started, m.state, m.affected)
}

// readMark gives a comment's mark and the text below it. A mark anywhere but in
// the first line is none: a quotation is not the comment.
func readMark(body string) (m mark, rest string, ok bool) {
	got := markLine.FindStringSubmatch(body)
	if got == nil {
		return mark{}, "", false
	}
	m = mark{key: got[1], state: got[5], affected: got[6] == "true"}
	for i, field := range []*int64{&m.order.Run, &m.order.Attempt, &m.order.Started} {
		n, err := strconv.ParseInt(got[2+i], 10, 64)
		if err != nil {
			return mark{}, "", false
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

// Site is what tells one use of the action from another in the same
// repository: workflow, job, step and the leg of a matrix. A workflow's name
// may be changed, its file stays.
func Site(getenv func(string) string) []string {
	workflow, _, _ := strings.Cut(getenv("GITHUB_WORKFLOW_REF"), "@")
	if workflow == "" {
		workflow = getenv("GITHUB_WORKFLOW")
	}
	return []string{workflow, getenv("GITHUB_JOB"), getenv("GITHUB_ACTION"), getenv("INPUT_MATRIX")}
}
