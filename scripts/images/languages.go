package main

import (
	"context"
)

// languages are applications whose vulnerable parts are no Debian packages.
func languages() []fixture {
	return []fixture{
		{"go-app", "a Go server beside a Go tool that nobody runs", []layer{goPrograms()}, server("/usr/local/bin/app")},
		{"node-app", "a Node server that requires one of three npm packages", []layer{base{}, debian{packages: []string{"nodejs"}}, nodeModules(), app("node-app", "/srv/app")}, server("node", "/srv/app/server.js")},
	}
}

func goPrograms() layer {
	return files{"go programs", func(ctx context.Context, s *store, t *tree) error {
		t.file("/etc/passwd", 0o644, []byte("root:x:0:0:root:/:/sbin/nologin\n"))
		if err := s.goBuild(ctx, t, "/usr/local/bin/app", "app"); err != nil {
			return err
		}
		return s.goBuild(ctx, t, "/usr/local/bin/tool", "tool")
	}}
}

func nodeModules() layer {
	return files{"node modules", func(ctx context.Context, s *store, t *tree) error {
		return s.npmInstall(ctx, t, "/srv/app", "lodash@4.17.20", "minimist@1.2.5", "ws@7.4.5")
	}}
}
