package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
)

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
// it is called, in which version and release, and which files it owns.
type unit struct {
	name, version, release, about string
	files                         []owned
}

// owned is a packaged file: where it is in the image and its content.
type owned struct {
	path string
	mode int64
	data []byte
}

// units are the packages of the apk and rpm fixtures beside their C library: a
// library in use, one that is not, and the server. lib is where libraries go.
func (s *store) units(ctx context.Context, compiler, lib, release string) ([]unit, error) {
	parts, err := s.greetings(ctx, compiler, lib)
	if err != nil {
		return nil, err
	}
	return []unit{
		{"libgreet", "1.0", release, "says hello", []owned{{lib + "/libgreet.so.1", 0o755, parts.greet}}},
		{"libspare", "1.0", release, "says nothing", []owned{{lib + "/libspare.so.1", 0o755, parts.spare}}},
		{"serve", "1.0", release, "answers on port 8080", []owned{{"/usr/bin/serve", 0o755, parts.serve}}},
	}, nil
}

// cLibrary is a package of the C library of this machine, by files of the
// machine and where they go. Its name and version are those of another
// distribution, so that advisories of that one match.
func cLibrary(u unit, from map[string]string) (unit, error) {
	for _, to := range slices.Sorted(maps.Keys(from)) {
		data, err := os.ReadFile(from[to])
		if err != nil {
			return u, fmt.Errorf("reading the C library: %w", err)
		}
		u.files = append(u.files, owned{to, 0o755, data})
	}
	return u, nil
}
