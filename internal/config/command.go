package config

import "strings"

// notToRepeat are the inputs that a command which repeats a run leaves out:
// they name things of the machine that the run was on, or say how it reports.
var notToRepeat = map[string]bool{
	"image": true, "output-dir": true, "config": true, "dockerfile": true, "sarif-open": true, "upload-sarif": true,
	"baseline": true, "baseline-key": true, "baseline-identity": true, "baseline-identity-regexp": true, "baseline-issuer": true,
}

// Command gives the `vexxy run` command that repeats a recorded run for one
// image: the inputs, by their settings, that are not at their defaults, quoted
// for a POSIX shell. Values of secrets are left to fill in. The text is
// foreign: it holds whatever the inputs held.
func Command(settings map[string]string, image string) string {
	words := []string{"vexxy", "run"}
	for _, in := range Inputs() {
		value := settings[in.Name]
		if value == "" || value == in.standard() || notToRepeat[in.Name] {
			continue
		}
		switch {
		case in.Kind == Switch && value == "true":
			words = append(words, "--"+in.Name)
		case in.Kind == Switch:
			words = append(words, "--"+in.Name+"="+value)
		case in.Kind == Pairs, in.Kind == List && !strings.Contains(value, ","):
			for item := range strings.SplitSeq(value, "\n") {
				words = append(words, "--"+in.Name, quote(item))
			}
		default:
			words = append(words, "--"+in.Name, quote(value))
		}
	}
	return strings.Join(append(words, quote(image)), " ")
}

// standard is the input's default as the settings show it.
func (in Input) standard() string {
	var c Config
	g := given{items: []string{in.Default}}
	if g.empty() || in.set(&c, []given{g}) != nil {
		return ""
	}
	return in.show(&c)
}

// quote writes a word in one line as a POSIX shell reads it back; where it has
// several lines, in the form of POSIX.1-2024 that bash and zsh know too.
func quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@%+,=", r)
	}
	switch {
	case s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }):
		return s
	case strings.ContainsAny(s, "\n\t"):
		return "$'" + strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", `\n`, "\t", `\t`).Replace(s) + "'"
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
