package report

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/vexxy/action/internal/subject"
)

// Mark is the hidden first line of a comment, by which a host finds it again:
// one comment for each key, of which a later run replaces an earlier one's.
// Anybody can write such a line: a host must look at the comment's author too.
type Mark struct {
	// Key has 32 hexadecimal digits.
	Key string
	// Order grows with the runs of a change; 0 is before all others.
	Order uint64
}

// NewMark makes the mark for a key of any form.
func NewMark(key string, order uint64) Mark {
	sum := sha256.Sum256([]byte(key))
	return Mark{hex.EncodeToString(sum[:16]), order}
}

// CommentKey gives the key of an image's comment by its reference, as the user
// wrote it, and the run's settings: the same for all runs on one name and
// platform, whatever the tag or digest, and also for those that fail before the
// image is known. more tells apart what may stand beside each other on one
// change: a job, a leg of a matrix, a digest of the configuration.
func CommentKey(requested string, settings map[string]string, more ...string) string {
	name, _, _ := strings.Cut(requested, "@")
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') && i > 0 {
		name = name[:i]
	}
	return strings.Join(append([]string{"vexxy", name, settings["platform"]}, more...), "\x00")
}

// ImageKey names a subject across runs, by its repository and platform,
// whatever its version.
func ImageKey(s subject.Subject) string {
	name := s.Repository
	if name == "" {
		name = s.Requested
	}
	return strings.Join([]string{"vexxy", name, s.Platform.String()}, "\x00")
}

// String gives the hidden line, without its end.
func (m Mark) String() string {
	return fmt.Sprintf("<!-- vexxy:comment key=%s order=%d -->", m.Key, m.Order)
}

var markLine = regexp.MustCompile(`^<!-- vexxy:comment key=([0-9a-f]{32}) order=([0-9]{1,20}) -->\r?(\n|$)`)

// ParseMark finds the mark of a comment. It is the first line or none.
func ParseMark(body string) (Mark, bool) {
	found := markLine.FindStringSubmatch(body[:min(len(body), 200)])
	if found == nil {
		return Mark{}, false
	}
	order, err := strconv.ParseUint(found[2], 10, 64)
	if err != nil {
		return Mark{}, false
	}
	return Mark{found[1], order}, true
}

// Replaces reports whether a comment with this mark may take the place of one
// with the other: of the same key, by a run that is not earlier.
func (m Mark) Replaces(other Mark) bool { return m.Key == other.Key && m.Order >= other.Order }
