package judge

import (
	"path"
	"strings"
)

// class says what a package's file can tell about the package's use.
type class int

const (
	// content can carry code or data: its use is the package's use.
	content class = iota
	// descriptor describes the package to a language's runtime, which reads it
	// to find the code (package.json): its use counts as the package's use, but
	// a package that owns nothing else has nothing that could be seen unused.
	descriptor
	// metadata is for package managers and people: opening it says nothing.
	// Executing or mapping it does.
	metadata
)

// metadataDirs hold nothing but metadata.
var metadataDirs = [...]string{
	"/var/lib/dpkg/", "/var/lib/apt/", "/var/lib/rpm/", "/usr/lib/sysimage/rpm/",
	"/var/lib/dnf/", "/var/lib/yum/", "/lib/apk/db/", "/usr/lib/apk/db/",
	"/usr/share/doc/", "/usr/share/man/", "/usr/share/info/", "/usr/share/licenses/",
	"/usr/share/lintian/", "/usr/share/bug/", "/usr/share/doc-base/",
	"/usr/local/share/doc/", "/usr/local/share/man/",
}

// interpreted are the endings of code that is used by opening it. An example or
// a contributed script among the documentation is no reason to clear a package,
// but opening it is use.
var interpreted = map[string]bool{
	".py": true, ".pyc": true, ".pl": true, ".pm": true, ".rb": true, ".js": true, ".mjs": true,
	".cjs": true, ".php": true, ".sh": true, ".bash": true, ".lua": true, ".tcl": true, ".jar": true,
	".so": true, ".sql": true, ".awk": true, ".el": true, ".r": true, ".R": true,
}

// licences are the names of licence texts, with or without an ending.
var licences = map[string]bool{
	"LICENSE": true, "LICENCE": true, "COPYING": true, "COPYRIGHT": true,
	"NOTICE": true, "AUTHORS": true, "COPYING.LESSER": true, "COPYING.LIB": true,
}

// distributionFiles are what Python packages keep about themselves
// (https://packaging.python.org/en/latest/specifications/recording-installed-packages/).
var distributionFiles = map[string]bool{
	"METADATA": true, "PKG-INFO": true, "RECORD": true, "WHEEL": true,
	"INSTALLER": true, "REQUESTED": true, "top_level.txt": true,
	"entry_points.txt": true, "direct_url.json": true, "SOURCES.txt": true,
	"namespace_packages.txt": true, "dependency_links.txt": true,
	"requires.txt": true, "not-zip-safe": true, "zip-safe": true,
	"installed-files.txt": true, "pbr.json": true, "native_libs.txt": true,
}

// descriptors are the names of files that describe packages to a runtime or to
// a language's package manager.
var descriptors = map[string]bool{
	"package.json": true, "package-lock.json": true, ".package-lock.json": true,
	"yarn.lock": true, "pnpm-lock.yaml": true, "composer.json": true,
	"composer.lock": true, "installed.json": true, "installed.php": true,
	"Gemfile": true, "Gemfile.lock": true, "go.mod": true, "go.sum": true,
	"Cargo.toml": true, "Cargo.lock": true, "pom.xml": true, "pom.properties": true,
	"MANIFEST.MF": true, "Pipfile.lock": true, "poetry.lock": true,
	"requirements.txt": true, "DESCRIPTION": true, "bower.json": true,
}

// classify sorts a file by its path alone.
func classify(p string) class {
	for _, dir := range metadataDirs {
		if strings.HasPrefix(p, dir) {
			if interpreted[path.Ext(p)] {
				return descriptor
			}
			return metadata
		}
	}
	dir, base := path.Split(p)
	stem := base
	switch ext := path.Ext(base); ext {
	case ".txt", ".md", ".rst":
		stem = strings.TrimSuffix(base, ext)
	}
	switch {
	case base == "copyright", licences[stem]:
		return metadata
	case strings.HasSuffix(base, ".egg-info"):
		return metadata
	case distributionFiles[base] && (strings.HasSuffix(dir, ".dist-info/") || strings.HasSuffix(dir, ".egg-info/") || strings.HasSuffix(dir, "/EGG-INFO/")):
		return metadata
	case descriptors[base], strings.HasSuffix(base, ".gemspec"), strings.HasSuffix(base, ".deps.json"):
		return descriptor
	case stem == "README", stem == "CHANGELOG", stem == "CHANGES", stem == "HISTORY":
		return descriptor
	}
	return content
}

// codeTypes are the package types that are read from the file that carries
// their code, so that the location is content. The location of all others is a
// description or a package database.
var codeTypes = map[string]bool{
	"go-module": true, "rust-crate": true, "java-archive": true,
	"jenkins-plugin": true, "binary": true, "graalvm-native-image": true,
	"linux-kernel": true, "linux-kernel-module": true,
}

// osTypes are the package types of distributions, whose location is the
// database that all of them share.
var osTypes = map[string]bool{
	"deb": true, "apk": true, "rpm": true, "alpm": true, "portage": true, "nix": true, "bitnami": true,
}
