package catalog_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	it "github.com/vexxy/action/internal/catalog/catalogtest"
)

// deb is a package that lists one file of its own and is said to be there
// under a name of its distribution.
func deb(name string, more ...it.File) it.Deb {
	return it.Deb{Name: name, Version: "1", Files: append([]it.File{{Path: "/usr/lib/" + name + "/own", Body: name}}, more...)}
}

// Files that installing a package generates are the package's, where it is
// installed and where they are there.
func TestGenerated(t *testing.T) {
	for _, c := range []struct {
		owner string
		files []string
		not   []string // there too, and not the package's
	}{
		{"ca-certificates", []string{"/etc/ca-certificates.conf", "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/certs/java/cacerts"}, []string{"/etc/ssl/certs/mine.pem"}},
		{"ca-certificates", []string{"/etc/pki/ca-trust/extracted/java/cacerts", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"}, []string{"/etc/pki/tls/certs/mine.crt"}},
		{"ca-certificates-java", []string{"/etc/ssl/certs/java/cacerts"}, []string{"/etc/ssl/certs/ca-certificates.crt"}},
		{"shared-mime-info", []string{"/usr/share/mime/image/png.xml", "/usr/share/mime/mime.cache"}, []string{"/usr/share/mime/packages/app.xml"}},
		{"libglib2.0-0t64", []string{"/usr/lib/x86_64-linux-gnu/gio/modules/giomodule.cache", "/usr/share/glib-2.0/schemas/gschemas.compiled"}, []string{"/usr/share/glib-2.0/schemas/app.gschema.xml"}},
		{"glib2", []string{"/usr/lib64/gio/modules/giomodule.cache"}, nil},
		{"libgdk-pixbuf-2.0-0", []string{"/usr/lib/x86_64-linux-gnu/gdk-pixbuf-2.0/2.10.0/loaders.cache"}, nil},
		{"libgtk-3-0", []string{"/usr/lib/aarch64-linux-gnu/gtk-3.0/3.0.0/immodules.cache"}, nil},
		{"fontconfig", []string{"/var/cache/fontconfig/3830d5c3-le64.cache-7"}, nil},
		{"locales", []string{"/usr/lib/locale/de_DE.utf8/LC_MESSAGES/SYS_LC_MESSAGES", "/usr/lib/locale/locale-archive"}, []string{"/usr/lib/locale/C.utf8/LC_CTYPE"}},
		{"tzdata", []string{"/etc/localtime"}, nil},
		{"libc-bin", []string{"/etc/nsswitch.conf"}, []string{"/etc/ld.so.cache"}},
		{"base-passwd", nil, []string{"/etc/passwd", "/etc/group"}},
		{"libpam-runtime", []string{"/etc/pam.d/common-auth"}, []string{"/etc/pam.d/app"}},
		{"ca-certificates-not", nil, []string{"/etc/ssl/certs/ca-certificates.crt"}},
	} {
		t.Run(c.owner, func(t *testing.T) {
			var there []it.File
			for _, f := range append(c.files, c.not...) {
				there = append(there, it.File{Path: f, Body: f})
			}
			read := read(t, it.Image(t, it.DebianRoot(deb(c.owner), deb("other")), there))
			wantFiles(t, find(t, read, c.owner), slices.Sorted(slices.Values(append(c.files, "/usr/lib/"+c.owner+"/own")))...)
			wantFiles(t, find(t, read, "other"), "/usr/lib/other/own")
		})
	}
}

// A generated file stays the package's where another one lists a link to it,
// as openssl does with the bundle of certificates; a copy of it stands for it,
// and it may itself be a copy of something else.
func TestGeneratedOfTwo(t *testing.T) {
	bundle, library := strings.Repeat("certificate", 200), strings.Repeat("library", 200)
	c := read(t, it.Image(t, it.DebianRoot(
		deb("ca-certificates"),
		deb("openssl", it.File{Path: "/usr/lib/ssl/cert.pem", Symlink: "/etc/ssl/certs/ca-certificates.crt"}),
		deb("libz", it.File{Path: "/usr/lib/libz.so.1", Body: library}),
	), []it.File{
		{Path: "/etc/ssl/certs/ca-certificates.crt", Body: bundle}, {Path: "/srv/app/cacert.pem", Body: bundle},
		{Path: "/etc/ca-certificates.conf", Body: library},
	}))
	wantFiles(t, find(t, c, "ca-certificates"), "/etc/ca-certificates.conf", "/etc/ssl/certs/ca-certificates.crt", "/usr/lib/ca-certificates/own")
	wantFiles(t, find(t, c, "openssl"), "/etc/ssl/certs/ca-certificates.crt", "/usr/lib/openssl/own")
	want := [][]string{{"/etc/ca-certificates.conf", "/usr/lib/libz.so.1"}, {"/etc/ssl/certs/ca-certificates.crt", "/srv/app/cacert.pem"}}
	if !reflect.DeepEqual(c.HardLinks, want) {
		t.Errorf("groups %q, want %q", c.HardLinks, want)
	}
}

// Packages of other families have theirs.
func TestGeneratedAlpine(t *testing.T) {
	c := read(t, it.Image(t, []it.File{
		{Path: "/etc/os-release", Body: "NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.18.4\n"},
		{Path: "/lib/apk/db/installed", Body: "P:ca-certificates\nV:20240226-r0\nA:x86_64\no:ca-certificates\nF:usr/sbin\nR:update-ca-certificates\n\n"},
		{Path: "/usr/sbin/update-ca-certificates", Body: "x"},
		{Path: "/etc/ssl/certs/ca-certificates.crt", Body: "x"},
	}))
	wantFiles(t, find(t, c, "ca-certificates"), "/etc/ssl/certs/ca-certificates.crt", "/usr/sbin/update-ca-certificates")
}

// A package whose list is missing does not get one by what it generated.
func TestGeneratedAlone(t *testing.T) {
	c := read(t, it.Image(t, it.DebianRoot(it.Deb{Name: "ca-certificates", Version: "1"}, deb("other")),
		[]it.File{{Path: "/etc/ssl/certs/ca-certificates.crt", Body: "x"}}))
	wantFiles(t, find(t, c, "ca-certificates"))
}

// What ucf keeps is its package's.
func TestRegistered(t *testing.T) {
	c := read(t, it.Image(t, it.DebianRoot(deb("openssh-server"), deb("php8.2-cli"), deb("other")), []it.File{
		{Path: "/var/lib/ucf/registry", Body: "openssh-server \t /etc/ssh/sshd_config\nphp8.2-cli\t/etc/php/8.2/cli/php.ini\nother /gone\nhalf\n\n"},
		{Path: "/etc/ssh/sshd_config", Body: "x"}, {Path: "/etc/php/8.2/cli/php.ini", Body: "x"},
	}))
	wantFiles(t, find(t, c, "openssh-server"), "/etc/ssh/sshd_config", "/usr/lib/openssh-server/own")
	wantFiles(t, find(t, c, "php8.2-cli"), "/etc/php/8.2/cli/php.ini", "/usr/lib/php8.2-cli/own")
	wantFiles(t, find(t, c, "other"), "/usr/lib/other/own")
}

// Emacs Lisp that was compiled at installation is that of its source, also in
// a directory of links to the sources, as Debian lays it out.
func TestCompiled(t *testing.T) {
	c := read(t, it.Image(t, it.DebianRoot(
		deb("elpa-mode", it.File{Path: "/usr/share/emacs/site-lisp/elpa-src/mode-1/mode.el", Body: "(provide 'mode)"}),
		it.Deb{Name: "loop", Version: "1", Listed: []string{"/usr/lib/elpa-mode/loop.elc"}},
		deb("other"),
	), []it.File{
		{Path: "/usr/share/emacs/site-lisp/elpa/mode-1/mode.el", Symlink: "../../elpa-src/mode-1/mode.el"},
		{Path: "/usr/share/emacs/site-lisp/elpa/mode-1/mode.elc", Body: "compiled"},
		{Path: "/srv/own.elc", Body: "compiled"},
		{Path: "/usr/lib/elpa-mode/loop.el", Symlink: "loop.elc"}, {Path: "/usr/lib/elpa-mode/loop.elc", Body: "compiled"},
	}))
	wantFiles(t, find(t, c, "elpa-mode"), "/usr/lib/elpa-mode/own",
		"/usr/share/emacs/site-lisp/elpa-src/mode-1/mode.el", "/usr/share/emacs/site-lisp/elpa/mode-1/mode.elc")
	wantFiles(t, find(t, c, "other"), "/usr/lib/other/own")
}
