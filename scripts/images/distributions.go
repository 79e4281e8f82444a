package main

// distributions are images whose packages are not, or not only, Debian's own
// 64-bit ones.
func distributions() []fixture {
	return []fixture{
		{"musl", "a program of Debian's musl beside an unused glibc", []layer{base{}, debian{packages: []string{"musl"}}, serveMusl()}, server("/usr/local/bin/serve")},
	}
}
