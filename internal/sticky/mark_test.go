package sticky

import (
	"bytes"
	"strings"
	"testing"
)

func FuzzMark(f *testing.F) {
	f.Add(Mark{Digest("k"), Order{1, 2, 3}, Digest("s"), true}.String() + "text")
	f.Fuzz(func(t *testing.T, body string) {
		m, rest, ok := ReadMark(body)
		if ok && !strings.HasSuffix(body, rest) {
			t.Errorf("%q: rest %q", body, rest)
		}
		if again, _, _ := ReadMark(m.String()); ok && again != m {
			t.Errorf("%+v became %+v", m, again)
		}
	})
}

func TestCutKeepsCharacters(t *testing.T) {
	long := []byte(strings.Repeat("ä", 100))
	for limit := range 60 {
		got := Cut(long, limit)
		if len(got) > limit || !bytes.Equal(got, bytes.ToValidUTF8(got, nil)) {
			t.Errorf("Cut to %d gives %q", limit, got)
		}
	}
}
