package main

import (
	"context"
	"strings"
)

// demoPackages are the demo's. The first line is what its application uses,
// the rest is what images gather over time and never run.
var demoPackages = strings.Fields(`
	python3-flask python3-requests python3-waitress
	apt git wget curl perl nginx-light openssh-client gnupg busybox sqlite3 procps
	libtiff-tools libheif1 libpng16-16 ldap-utils python3-pip xsltproc libc-ares2 libdw1`)

// manyPackages make, with what they need and the base, some 150 packages.
var manyPackages = strings.Fields("python3-flask git curl wget gnupg openssh-client procps")

// services are web applications made of Debian packages.
func services() []fixture {
	flask := debian{packages: []string{"python3-flask"}}
	demo := debian{packages: demoPackages}
	nginx := server("nginx", "-g", "daemon off;")
	health := server("/usr/local/bin/serve")
	www := server("python3", "/srv/app/app.py")
	www.User = "www-data"
	www.Env = []string{"PYTHONDONTWRITEBYTECODE=1"}
	return []fixture{
		{"demo", "Flask application beside many packages that it never uses", []layer{base{}, demo, app("demo", "/srv/app")}, www},
		{"python-web", "small Flask application", []layer{base{}, flask, app("python-web", "/srv/app")}, server("python3", "/srv/app/app.py")},
		{"nginx", "nginx with a static page", []layer{base{}, debian{packages: []string{"nginx-light"}}, app("nginx", "/")}, nginx},
		{"big150", "a small Flask application among some 150 packages, for benchmarks", []layer{base{}, debian{packages: manyPackages}, app("python-web", "/srv/app")}, server("python3", "/srv/app/app.py")},
		{"health", "a server with a HEALTHCHECK", []layer{base{}, servePlain()}, withHealth(health, "/usr/local/bin/serve", "-check")},
	}
}

// app is the files of testdata/images/apps/NAME below a directory.
func app(name, to string) layer {
	return files{"app " + name + " " + to, func(_ context.Context, s *store, t *tree) error {
		return t.copyDir(to, s.path("testdata/images/apps/"+name))
	}}
}
