package main

import "context"

// lives are the ways in which a container can begin and end.
func lives() []fixture {
	shell := func(script string) []string { return []string{"/bin/sh", "-c", script} }
	loop := func(prog string) []string {
		return shell("i=0; while [ $i -lt 10000 ]; do " + prog + "; i=$((i+1)); done")
	}
	musl := debian{packages: []string{"musl"}}
	small := []layer{base{}}
	return []fixture{
		{"job", "short job that sorts a file and exits 0", small, program(shell("sort -r /etc/passwd | head -n 3; exit 0")...)},
		{"certificates", "short job that reads the bundle of certificates, which is in no package's list", []layer{base{}, debian{packages: []string{"ca-certificates"}}},
			program(shell("cat /etc/ssl/certs/ca-certificates.crt > /dev/null; exit 0")...)},
		{"exit0", "exits 0 at once", small, program("/bin/true")},
		{"exit1", "exits 1 at once", small, program("/bin/false")},
		{"crashloop", "works a moment, then exits 3", small, program(shell("cat /etc/passwd > /dev/null; sleep 0.3; exit 3")...)},
		{"never-ready", "names a port that nobody listens on", small, server("sleep", "infinity")},
		{"forks", "10,000 short processes of Debian's true, then exits 0", small, program(loop("/bin/true")...)},
		{"forks-musl", "10,000 short processes of a musl program, then exits 0", []layer{base{}, musl, trueMusl()}, program(loop("/usr/local/bin/true-musl")...)},
		{"scratch-static", "one static program, no packages", []layer{serveStatic("/serve")}, server("/serve")},
	}
}

func trueMusl() layer {
	return files{"true musl", func(ctx context.Context, s *store, t *tree) error {
		return s.compile(ctx, t, "/usr/local/bin/true-musl", "musl-gcc", "true.c")
	}}
}
