package config

import "strings"

// Options are what the caller knows about its surroundings.
type Options struct {
	// Ignore are variables that look like inputs and are none, such as those
	// of the action's own shim, in full: INPUT_BINARY.
	Ignore []string
	// Rest takes the words of the line that are no flags, which name the images
	// of a run. A command with another use for them needs no image.
	Rest func(words []string) error
}

// Load reads all inputs of a run: args are the words after the sub-command,
// environ is as os.Environ gives it, readFile reads the configuration file. An
// error is ErrHelp or a usage fault.
func Load(args, environ []string, readFile func(path string) ([]byte, error), o Options) (Config, error) {
	inputs := Inputs()
	known := newTable(inputs)
	line, err := ParseLine(args, inputs)
	if err != nil {
		return Config{}, err
	}
	flags := dropEmpty(line.flags)
	switch {
	case o.Rest != nil:
		if err := o.Rest(line.Rest); err != nil {
			return Config{}, err
		}
	case len(line.Rest) > 0:
		g := given{items: line.Rest, list: true, origin: "the command line"}
		flags["image"] = append(flags["image"], g)
	}
	env, err := fromEnviron(environ, known, o.Ignore)
	if err != nil {
		return Config{}, err
	}
	sources := []map[string][]given{flags, env}
	path, file, err := fromFile(askedFile(sources), readFile, known)
	if err != nil {
		return Config{}, err
	}
	c := Config{origin: map[string]string{}}
	if err := c.apply(inputs, append(sources, dropEmpty(file))); err != nil {
		return Config{}, err
	}
	c.File = path
	if c.Engine == "" {
		c.Engine = defaultEngine(environ)
	}
	return c, c.check(o.Rest == nil)
}

// apply sets every input from the first source that gives it, else to its
// default.
func (c *Config) apply(inputs []Input, sources []map[string][]given) error {
	for _, in := range inputs {
		occurrences := []given{{items: []string{in.Default}, origin: "its default"}}
		for _, source := range sources {
			if all := source[in.Name]; len(all) > 0 {
				occurrences = all
				c.origin[in.Name] = all[len(all)-1].origin
				break
			}
		}
		if occurrences[0].empty() {
			continue
		}
		origin := occurrences[len(occurrences)-1].origin
		for _, g := range occurrences {
			for _, item := range g.items {
				if strings.ContainsRune(item, 0) {
					return refuse(in, g.origin, invalid{"it holds a NUL byte", "remove it"})
				}
			}
		}
		if err := in.set(c, occurrences); err != nil {
			return refuse(in, origin, err)
		}
	}
	return nil
}

// askedFile gives the configuration file that a flag or variable names.
func askedFile(sources []map[string][]given) string {
	for _, source := range sources {
		if all := source["config"]; len(all) > 0 {
			return strings.TrimSpace(all[len(all)-1].items[0])
		}
	}
	return ""
}

// dropEmpty removes the occurrences that count as not given.
func dropEmpty(source map[string][]given) map[string][]given {
	kept := map[string][]given{}
	for name, occurrences := range source {
		for _, g := range occurrences {
			if !g.empty() {
				kept[name] = append(kept[name], g)
			}
		}
	}
	return kept
}

// defaultEngine is kubescape where a CI host says that it is one.
func defaultEngine(environ []string) string {
	for _, kv := range environ {
		if kv == "GITHUB_ACTIONS=true" || kv == "GITLAB_CI=true" {
			return EngineKubescape
		}
	}
	return EngineEmbedded
}
