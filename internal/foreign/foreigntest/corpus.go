// Package foreigntest holds the hostile strings that every sink of foreign
// text is tested against.
package foreigntest

import "strings"

// Corpus gives 40 hostile strings by what they attack. Each call gives a map
// of its own.
func Corpus() map[string]string {
	return map[string]string{
		"newline":              "a\nb",
		"carriage return":      "good\rEVIL",
		"crlf header":          "x\r\nSet-Cookie: y",
		"nul":                  "a\x00b",
		"bell and backspace":   "a\a\b\b\bb",
		"tab":                  "a\tb",
		"ansi colour":          "\x1b[31mred\x1b[0m",
		"ansi clear screen":    "\x1b[2J\x1b[H",
		"ansi title":           "\x1b]0;owned\x07",
		"ansi hyperlink":       "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
		"c1 csi":               "\u009b31mred",
		"c1 raw byte":          "\x9b31mred",
		"delete":               "a\x7fb",
		"bidi override":        "safe\u202egpj.exe",
		"bidi isolate":         "a\u2066b\u2069c",
		"zero width":           "a\u200bd\u200cm\u200din\ufeff",
		"line separator":       "a\u2028b\u2029c",
		"next line":            "a\u0085b",
		"stacked marks":        "z\u0301\u0302\u0303\u0304\u0489algo",
		"invalid utf-8":        "caf\xe9\xff\xfe",
		"overlong utf-8":       "\xc0\xaf..\xc0\xaf",
		"surrogate":            "\xed\xa0\x80",
		"tag characters":       "x\U000e0041\U000e0042",
		"set-output":           "::set-output name=verdict::pass",
		"set-output indented":  "  ::add-mask::a",
		"legacy command":       "text ##[set-output name=verdict]pass",
		"stop commands":        "::stop-commands::token\n::warning::x",
		"percent escapes":      "%0A::set-env name=PATH::x%25",
		"output delimiter":     "x\nEOF\nverdict=pass",
		"mention":              "@everyone and cc @octo-cat/team",
		"references":           "fixes #1, octo/repo#2, GH-3, !4, ~bug, %5",
		"autolinks":            "https://evil.example www.evil.example HTTP://e.example me@evil.example",
		"image":                "![x](https://evil.example/p.png)",
		"link":                 "[click](javascript:alert(1))",
		"table":                "a | b || c \\| d",
		"code fence":           "```\n</code>`` ` `",
		"html script":          "<script>alert(1)</script><img src=x onerror=alert(1)>",
		"html comment":         "--><!-- vexxy:sticky --><!--",
		"attribute and entity": "\" onload=\"x' &lt;b&gt; &#60;i&#62; $x$ $`y`$",
		"one mebibyte":         strings.Repeat("A\x1b|<", 1<<18),
	}
}
