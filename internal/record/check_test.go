package record

import (
	"strings"
	"testing"

	"github.com/vexxy/action/internal/subject"
)

// What stands in place of a digest names an image to nobody, or another one.
func TestDigestsAreDigests(t *testing.T) {
	good := "sha256:" + strings.Repeat("a1", 32)
	for _, c := range []struct {
		name string
		s    subject.Subject
		fits bool
	}{
		{"all", subject.Subject{ConfigDigest: good, ManifestDigest: good, IndexDigest: good}, true},
		{"local", subject.Subject{ConfigDigest: good}, true},
		{"nothing", subject.Subject{}, false},
		{"a tag", subject.Subject{ConfigDigest: good, ManifestDigest: "sha256:latest"}, false},
		{"a line more", subject.Subject{ConfigDigest: good + "\n", ManifestDigest: good}, false},
		{"capitals", subject.Subject{ConfigDigest: good, IndexDigest: strings.ToUpper(good)}, false},
		{"another algorithm", subject.Subject{ConfigDigest: "md5:" + strings.Repeat("a1", 16)}, false},
	} {
		if err := check(&Record{Subject: c.s}); (err == nil) != c.fits {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
