package main

import "context"

// distributions are images whose packages are not, or not only, Debian's own
// 64-bit ones.
func distributions() []fixture {
	i386 := server("/usr/local/bin/serve32", "-open", "/etc/passwd", "-load", "libm.so.6")
	return []fixture{
		{"musl", "a program of Debian's musl beside an unused glibc", []layer{base{}, debian{packages: []string{"musl"}}, serveMusl()}, server("/usr/local/bin/serve")},
		{"i386", "a 32-bit program with its own C library", []layer{base{}, debian{packages: []string{"libc6-i386"}}, serve32()}, i386},
		{"apk-db", "packages in an apk database", []layer{files{"apk", apkTree}}, server("/usr/bin/serve")},
		{"rpm-db", "packages in an rpm database", []layer{files{"rpm", rpmTree}}, server("/usr/bin/serve")},
	}
}

// serveMusl is serve for musl, dynamically linked.
func serveMusl() layer {
	return files{"serve musl", func(ctx context.Context, s *store, t *tree) error {
		return s.compile(ctx, t, "/usr/local/bin/serve", "musl-gcc", "serve.c")
	}}
}

// serve32 is serve as a 32-bit program.
func serve32() layer {
	return files{"serve 32", func(ctx context.Context, s *store, t *tree) error {
		return s.compile(ctx, t, "/usr/local/bin/serve32", "gcc", "serve.c", "-m32")
	}}
}

// unit is one package of an apk or rpm database that we make ourselves: what
// it is called and which files it owns.
type unit struct {
	name, version, about string
	files                []owned
}

// owned is a packaged file: where it is in the image and its content.
type owned struct {
	path string
	mode int64
	data []byte
}

// units are the packages of the apk and rpm fixtures: a C library, a library
// in use, one that is not, and the server. lib is where libraries go.
func (s *store) units(ctx context.Context, lib, loader string) ([]unit, error) {
	parts, err := s.greetings(ctx, lib)
	if err != nil {
		return nil, err
	}
	return []unit{
		{"musl", "1.2.3", "C library", []owned{{loader, 0o755, parts.loader}}},
		{"libgreet", "1.0", "says hello", []owned{{lib + "/libgreet.so.1", 0o755, parts.greet}}},
		{"libspare", "1.0", "says nothing", []owned{{lib + "/libspare.so.1", 0o755, parts.spare}}},
		{"serve", "1.0", "answers on port 8080", []owned{{"/usr/bin/serve", 0o755, parts.serve}}},
	}, nil
}
