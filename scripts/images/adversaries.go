package main

import (
	"context"
	"fmt"
	"strings"
)

const debianLib = "/usr/lib/x86_64-linux-gnu"

// adversaries are images that make observation, or reporting it, hard.
func adversaries() []fixture {
	zlib := debian{packages: []string{"zlib1g", "libexpat1", "libtiff6", "libxml2"}}
	busybox := debian{
		packages: []string{"busybox"},
		command:  "ln /usr/bin/busybox /usr/local/bin/hostname; ln /usr/bin/busybox /opt/unused",
	}
	links := debian{
		packages: []string{"libtiff6"},
		command:  "ln -s " + debianLib + " /opt/alias; ln -s /opt/alias/libz.so.1 /srv/z; ln -s ../srv/z /opt/zz",
	}
	fixtures := []fixture{
		{"dlopen", "libraries that come and go: dlclose at once, a copy in memory", []layer{base{}, zlib, servePlain()},
			server("/usr/local/bin/serve", "-drop", "libz.so.1", "-memfd", debianLib+"/libexpat.so.1")},
		{"hardlink", "busybox run under a name that no package lists", []layer{base{}, busybox, servePlain()},
			server("/usr/local/bin/serve", "-run", "/usr/local/bin/hostname")},
		{"symlink", "a library reached through three links, awk through its alternative", []layer{base{}, links, servePlain()},
			server("/usr/local/bin/serve", "-load", "/opt/zz", "-run", "/usr/local/bin/run-awk")},
		{"hostile-names", "files whose names attack whoever prints them", []layer{base{}, files{"hostile names", hostileTree}},
			server("/usr/local/bin/serve", "-walk", "/hostile", "-deep", "/tmp", "-run", hostileProgram)},
		{"burst", "50,000 distinct files in a second around one library", []layer{base{}, zlib, files{"burst", burstTree}},
			program("/usr/local/bin/serve", "-walk", "/burst/a", "-load", "libz.so.1", "-walk", "/burst/b", "-exit", "0")},
	}
	fixtures[2].layers = append(fixtures[2].layers, files{"run-awk", func(_ context.Context, _ *store, t *tree) error {
		t.file("/usr/local/bin/run-awk", 0o755, []byte("#!/usr/bin/awk -f\nBEGIN { exit 0 }\n"))
		return nil
	}})
	return fixtures
}

// hostileProgram is run; its name forges a workflow command.
const hostileProgram = "/hostile/run\n::error::forged"

// hostileNames are file names that mean something to a terminal, a workflow
// runner, a Markdown or HTML reader, or that no text encoding allows.
var hostileNames = []string{
	"two\nlines", "\n::set-output name=verdict::pass", "::stop-commands::x", "##vso[task.complete]",
	"\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\r overwritten", "back\bspace", "tab\there",
	"<script>alert(1)<", "<img src=x onerror=alert(1)>", "[link](javascript:alert(1))", "`code`", "| cell |", "# heading",
	"@everyone", "${{ secrets.TOKEN }}", "$(id)", "; rm -rf .", "-rf", "'quote\"", "back\\slash", "%0Aescaped", "&amp;",
	"\xff\xfe not text", "caf\xe9", "\u202etxt.exe", "\u200bzero width", "trailing ", "control\x01\x02",
}

// hostileTree is those names as files, a name of 255 bytes and a path of 3,974,
// which Docker, that unpacks it below a path of its own, can just bear.
func hostileTree(ctx context.Context, s *store, t *tree) error {
	for i, name := range hostileNames {
		t.file("/hostile/"+name, 0o644, fmt.Appendf(nil, "%d\n", i))
	}
	t.file("/hostile/"+strings.Repeat("n", 255), 0o644, nil)
	t.file("/hostile/"+strings.Repeat(strings.Repeat("p", 250)+"/", 15)+strings.Repeat("e", 200), 0o644, nil)
	if err := s.compile(ctx, t, hostileProgram, "gcc", "true.c"); err != nil {
		return err
	}
	return s.compile(ctx, t, "/usr/local/bin/serve", "gcc", "serve.c")
}

// burstTree is 50,000 files of their own inodes.
func burstTree(ctx context.Context, s *store, t *tree) error {
	for _, dir := range []string{"a", "b"} {
		for i := range 25000 {
			t.file(fmt.Sprintf("/burst/%s/%05d", dir, i), 0o644, nil)
		}
	}
	return s.compile(ctx, t, "/usr/local/bin/serve", "gcc", "serve.c")
}
