package config

import (
	"bytes"
	"encoding/json"
	"strings"
)

// splitWords splits a text into words as a POSIX shell does, without any
// expansion: blanks separate, single quotes keep all, double quotes keep all
// but a backslash before ", \, $ or `. A text that begins with "[" is a JSON
// array of strings, the exec form of a Dockerfile.
func splitWords(s string) ([]string, error) {
	if strings.HasPrefix(strings.TrimSpace(s), "[") {
		var words []string
		if err := json.Unmarshal([]byte(s), &words); err != nil {
			return nil, invalid{"it begins with [ and is no JSON array of strings", `write it like ["sh", "-c", "echo hello"]`}
		}
		return words, nil
	}
	var (
		words  []string
		word   strings.Builder
		inWord bool
		quote  byte
	)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote == '\'' && c != '\'', quote == '"' && c != '"' && c != '\\':
			word.WriteByte(c)
		case quote != 0 && c == quote:
			quote = 0
		case c == '\\':
			if i++; i == len(s) {
				return nil, invalid{"it ends with a backslash", `write \\ for a backslash`}
			}
			if quote == '"' && !strings.ContainsRune("\"\\$`", rune(s[i])) {
				word.WriteByte(c)
			}
			word.WriteByte(s[i])
			inWord = true
		case c == '\'' || c == '"':
			quote, inWord = c, true
		case strings.IndexByte(" \t\r\n", c) >= 0:
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, invalid{"a quotation mark is not closed", "close it, or write the words as a JSON array"}
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// joinWords writes words as a JSON array, which splitWords reads back; no
// words are "".
func joinWords(words []string) string {
	if len(words) == 0 {
		return ""
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(words); err != nil {
		return "" // strings always encode
	}
	return strings.TrimSuffix(b.String(), "\n")
}
