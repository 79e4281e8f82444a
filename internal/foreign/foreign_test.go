package foreign_test

import (
	"encoding/json"
	"html"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/foreign/foreigntest"
)

// sinks are the encoders, each with what must never stand in its result.
var sinks = map[string]struct {
	encode    func(foreign.Text, int) string
	forbidden *regexp.Regexp
}{
	"line":     {foreign.Text.Line, regexp.MustCompile(`^ *::|##\[`)},
	"terminal": {foreign.Text.Terminal, regexp.MustCompile(`^ *::|##\[`)},
	"markdown": {foreign.Text.Markdown, regexp.MustCompile("[<>|`*_\\[\\]{}~!$@\"'\\\\^%]|://|(?i:www\\.)|#[^0-9]|GH-[0-9]|^[-+=/ ]|^[0-9]{1,9}[.)]( |$)")},
	"code":     {foreign.Text.Code, regexp.MustCompile("^[^`]|[^`]$|.`.|\\||<!")},
	"message":  {foreign.Text.Message, regexp.MustCompile("[][{}<>`]|://|(?i:www\\.)|(^|[^0-9A-Za-z_])@[0-9A-Za-z]|#[0-9]|(?i:gh)-[0-9]")},
	"html":     {foreign.Text.HTML, regexp.MustCompile("[<>\"'`]|&[^#]")},
}

func TestCorpusThroughEverySink(t *testing.T) {
	corpus := foreigntest.Corpus()
	if len(corpus) != 40 {
		t.Fatalf("the corpus holds %d strings, want 40", len(corpus))
	}
	for sink, s := range sinks {
		for name, text := range corpus {
			for _, max := range []int{0, 16, 100, 4096} {
				got := s.encode(foreign.Text(text), max)
				check(t, sink+"/"+name, got, max)
				if hit := s.forbidden.FindString(got); hit != "" && len(text) > 0 {
					t.Errorf("%s/%s at %d: %q holds %q", sink, name, max, got, hit)
				}
			}
		}
	}
}

// check holds what is true of every sink.
func check(t *testing.T, name, got string, max int) {
	t.Helper()
	if max <= 0 {
		max = foreign.DefaultMax
	}
	if len(got) > max {
		t.Errorf("%s: %d bytes, want at most %d", name, len(got), max)
	}
	if !utf8.ValidString(got) {
		t.Errorf("%s: %q is no UTF-8", name, got)
	}
	for _, r := range got {
		if !unicode.IsPrint(r) || unicode.Is(unicode.Cf, r) {
			t.Errorf("%s: %q holds %U", name, got, r)
		}
	}
}

func TestLine(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"/usr/lib/x86_64-linux-gnu/libz.so.1.2.13", "/usr/lib/x86_64-linux-gnu/libz.so.1.2.13"},
		{"Grüße 東京 🚀", "Grüße 東京 🚀"},
		{"a\nb\x1b[0m", `a\x0ab\x1b[0m`},
		{"\xff\u202e\u009b", `\xff\u{202e}\u{9b}`},
		{"\ufffd", "\ufffd"},
		{"::error::x", `\x3a:error::x`},
		{"std::string", "std::string"},
		{"##[group]", `#\x23[group]`},
		{`C:\x1b`, `C:\x1b`},
	} {
		got := foreign.Text(c.in).Line(0)
		if got != c.want {
			t.Errorf("Line(%q) = %q, want %q", c.in, got, c.want)
		}
		if again := foreign.Text(got).Line(0); again != got {
			t.Errorf("Line(%q) = %q the second time", got, again)
		}
	}
}

func TestCutsAtWholeUnits(t *testing.T) {
	for _, c := range []struct {
		in   string
		max  int
		want string
	}{
		{"abcdef", 6, "abcdef"},
		{"abcdefg", 6, "abc…"},
		{"äöüß", 7, "äö…"},
		{"ab\x1bcdef", 8, "ab…"},
		{"abc", 2, ""},
	} {
		if got := foreign.Text(c.in).Line(c.max); got != c.want {
			t.Errorf("Line(%q, %d) = %q, want %q", c.in, c.max, got, c.want)
		}
	}
	if got := foreign.Text("a<<<<").Markdown(12); got != "a&#60;…" {
		t.Errorf("an entity was cut: %q", got)
	}
}

func TestMarkupKeepsWhatIsShown(t *testing.T) {
	for _, text := range []string{
		"/etc/passwd", "@angular/core", "a|b*c_d", "pkg:deb/debian/zlib1g@1:1.2.13", "https://x.example/?a=b&c", "1. x", "GH-12",
	} {
		shown := strings.ReplaceAll(html.UnescapeString(foreign.Text(text).Markdown(0)), "\u200b", "")
		if shown != text {
			t.Errorf("Markdown(%q) shows %q", text, shown)
		}
		if shown := html.UnescapeString(foreign.Text(text).HTML(0)); shown != text {
			t.Errorf("HTML(%q) shows %q", text, shown)
		}
	}
	if got := foreign.Text("@angular/core").Code(0); got != "`@angular/core`" {
		t.Errorf("Code = %q", got)
	}
	if got := foreign.Text("1.2.3-4+deb12u1: CVE-2024-1").Markdown(0); got != "1.2.3-4+deb12u1: CVE-2024-1" {
		t.Errorf("plain text became %q", got)
	}
}

func FuzzSinks(f *testing.F) {
	for _, text := range foreigntest.Corpus() {
		f.Add(text[:min(len(text), 4096)], 64)
	}
	f.Fuzz(func(t *testing.T, text string, max int) {
		max = 1 + (max&0xfff+0x1000)&0xfff
		for name, s := range sinks {
			got := s.encode(foreign.Text(text), max)
			if !utf8.ValidString(got) || len(got) > max && (name != "code" || len(got) > 3) {
				t.Errorf("%s(%q, %d) = %q", name, text, max, got)
			}
			if hit := s.forbidden.FindString(got); hit != "" {
				t.Errorf("%s(%q) = %q holds %q", name, text, got, hit)
			}
		}
	})
}

func BenchmarkLineOfOneMebibyte(b *testing.B) {
	text := foreign.Text(foreigntest.Corpus()["one mebibyte"])
	for b.Loop() {
		text.Line(256)
	}
}

func TestJSONKeepsItsMeaning(t *testing.T) {
	for name, text := range foreigntest.Corpus() {
		text = strings.ToValidUTF8(text, "\ufffd")
		data, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		shown := foreign.JSON(data)
		check(t, "json/"+name, string(shown), len(shown))
		var back string
		if err := json.Unmarshal(shown, &back); err != nil || back != text {
			t.Errorf("%s: %q became %q, %v", name, text, back, err)
		}
	}
}
