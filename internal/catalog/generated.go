package catalog

import (
	"errors"
	"path"
	"strings"

	"github.com/anchore/syft/syft/pkg"
)

// made are files that installing a package generates, and the packages whose
// data they hold. No package manager lists them (rpm does, where its package
// names them as ghosts), so that without this table a package could be called
// unused while its data is read every day.
//
// Patterns are path.Match's; one that ends in a slash is all below it. The
// names of all distribution families stand side by side, since an image has
// one: Debian's with and without t64, rpm's, apk's, Arch's.
var made = []struct{ owners, patterns []string }{
	// update-ca-certificates(8) of Debian and apk, update-ca-trust(8) of Fedora
	// and Arch, SUSE's update-ca-certificates. The links beside Debian's bundle
	// lead to files that the package lists.
	{[]string{"ca-certificates", "ca-certificates-utils", "ca-certificates-mozilla"}, []string{
		"/etc/ssl/certs/ca-certificates.crt", "/etc/ca-certificates.conf",
		"/etc/pki/ca-trust/extracted/", "/etc/ca-certificates/extracted/", "/var/lib/ca-certificates/",
	}},
	// postinst of Debian's ca-certificates-java; made of ca-certificates' data
	{[]string{"ca-certificates-java", "java-cacerts", "java-ca-certificates", "ca-certificates"}, []string{"/etc/ssl/certs/java/cacerts"}},
	// update-mime-database(1)
	{[]string{"shared-mime-info"}, mimeFiles()},
	// glib-compile-schemas(1), gio-querymodules(1)
	{[]string{"libglib2.0-0", "libglib2.0-0t64", "glib2", "glib", "libgio-2_0-0", "glib2-tools"}, []string{
		"/usr/share/glib-2.0/schemas/gschemas.compiled", "/usr/lib*/gio/modules/giomodule.cache", "/usr/lib/*/gio/modules/giomodule.cache",
	}},
	// gdk-pixbuf-query-loaders(1)
	{[]string{"libgdk-pixbuf-2.0-0", "libgdk-pixbuf2.0-0", "gdk-pixbuf2", "gdk-pixbuf", "libgdk_pixbuf-2_0-0"}, []string{
		"/usr/lib*/gdk-pixbuf-2.0/*/loaders.cache", "/usr/lib/*/gdk-pixbuf-2.0/*/loaders.cache",
	}},
	// gtk-query-immodules-2.0(1) and -3.0
	{[]string{"libgtk2.0-0", "libgtk2.0-0t64", "gtk2", "gtk+2.0"}, []string{
		"/usr/lib*/gtk-2.0/*/immodules.cache", "/usr/lib/*/gtk-2.0/*/immodules.cache",
	}},
	{[]string{"libgtk-3-0", "libgtk-3-0t64", "gtk3", "gtk+3.0"}, []string{
		"/usr/lib*/gtk-3.0/*/immodules.cache", "/usr/lib/*/gtk-3.0/*/immodules.cache",
	}},
	// gtk-update-icon-cache(1)
	{[]string{"hicolor-icon-theme"}, []string{"/usr/share/icons/hicolor/icon-theme.cache"}},
	{[]string{"adwaita-icon-theme"}, []string{"/usr/share/icons/Adwaita/icon-theme.cache"}},
	// fc-cache(1)
	{[]string{"fontconfig"}, []string{"/var/cache/fontconfig/", "/usr/lib/fontconfig/cache/"}},
	// locale-gen(8), localedef(1); on Debian C.utf8 is libc-bin's, and no other
	// locale is in a list
	{[]string{"locales", "glibc-common", "glibc-all-langpacks", "glibc-locale", "glibc"}, []string{"/usr/lib/locale/locale-archive"}},
	{[]string{"locales"}, []string{"/usr/lib/locale/[a-z]*/*", "/usr/lib/locale/[a-z]*/LC_MESSAGES/*"}},
	// tzdata's postinst copies or links it; a copy is too small to be found as one
	{[]string{"tzdata", "timezone"}, []string{"/etc/localtime"}},
	// iconvconfig(8)
	{[]string{"libc6", "libc-bin", "glibc", "glibc-gconv-extra"}, []string{
		"/usr/lib*/gconv/gconv-modules.cache", "/usr/lib/*/gconv/gconv-modules.cache",
	}},
	// postinst of each, which copies or completes defaults out of /usr/share.
	// base-passwd's /etc/passwd and /etc/group are left out: they are the
	// site's, and the container runtime reads them for its own ends.
	{[]string{"libc-bin"}, []string{"/etc/nsswitch.conf"}},
	{[]string{"base-files"}, []string{"/etc/profile", "/etc/motd", "/root/.profile", "/root/.bashrc"}},
	{[]string{"libpam-runtime"}, []string{"/etc/pam.d/common-*"}},
	// update-xmlcatalog(8), update-catalog(8), update-mime(8)
	{[]string{"xml-core"}, []string{"/etc/xml/*"}},
	{[]string{"sgml-base"}, []string{"/etc/sgml/*", "/var/lib/sgml-base/"}},
	{[]string{"mailcap", "mime-support"}, []string{"/etc/mailcap"}},
	// update-crypto-policies(8)
	{[]string{"crypto-policies"}, []string{"/etc/crypto-policies/"}},
}

// mimeFiles are what update-mime-database makes of the descriptions in
// packages/, which it leaves as they are
// (https://specifications.freedesktop.org/shared-mime-info-spec/latest/).
func mimeFiles() []string {
	out := []string{"/usr/share/mime/*"}
	for _, media := range strings.Fields("application audio chemical font image inode message model multipart text video x-content x-epoc x-scheme-handler") {
		out = append(out, "/usr/share/mime/"+media+"/*.xml")
	}
	return out
}

// madeBy are the patterns of a package's generated files, by its name.
var madeBy = func() map[string][]string {
	out := map[string][]string{}
	for _, row := range made {
		for _, owner := range row.owners {
			out[owner] = append(out[owner], row.patterns...)
		}
	}
	return out
}()

// claimGenerated claims what installing a distribution's package has generated:
// the files of the table, on Debian those that ucf keeps (it writes down whose
// they are), and with claim.add the compiled form of what is claimed. A package
// that owns nothing else stays without files: a generated one is no proof that
// its list is whole.
//
// Other packages may list the same file: openssl of Debian has a link to the
// bundle of ca-certificates. It stands for both.
//
// There is no rule beyond lists for a file that is nobody's. "It belongs to the
// one package that has files in its directory" was tried on images of some
// hundred Debian packages: of the thirty files there that installing had made
// it found one (/etc/security/opasswd), since they lie where many packages have
// files or none has; and it blames packages for what users put beside their
// files, such as a site below a web server's root, a module in site-packages,
// or a program in the /usr/bin of an image with one package.
func (o *owners) claimGenerated(c *claim, root string, p pkg.Package) {
	if len(c.paths) == 0 || o.total > o.lim.files {
		return
	}
	for _, pattern := range madeBy[p.Name] {
		for _, f := range o.matching(root, pattern) {
			c.generated(f)
		}
	}
	if p.Type == pkg.DebPkg {
		for _, f := range o.registered(root)[p.Name] {
			c.generated(f)
		}
	}
}

// matching gives the files of a pattern below an installation's root.
func (o *owners) matching(root, pattern string) []string {
	at := path.Join(root, pattern)
	below := strings.HasSuffix(pattern, "/")
	known, ok := o.globbed[at]
	if !ok {
		known = o.tree.glob(at, below)
		o.globbed[at] = known
	}
	return known
}

// registered gives the files of ucf's registry by package: it holds a package
// and a file a line, with white space between (ucfr(1)).
func (o *owners) registered(root string) map[string][]string {
	at := path.Join(root, "var/lib/ucf/registry")
	if known, ok := o.kept[at]; ok {
		return known
	}
	found := map[string][]string{}
	o.kept[at] = found
	data, err := o.files.read(at, maxList)
	if err != nil && !errors.Is(err, errNoFile) {
		o.incomplete = oneLine("reading ucf's registry: " + err.Error())
	}
	for _, line := range strings.Split(string(data), "\n") {
		name, file, _ := strings.Cut(strings.Replace(line, "\t", " ", 1), " ")
		if real, ok := o.tree.file(path.Join(root, strings.TrimSpace(file))); ok {
			found[name] = append(found[name], real)
		}
	}
	return found
}

// generated claims a file that is in no list.
func (c *claim) generated(real string) {
	c.owners.made[real] = true
	c.add(real)
}

// compiledFrom gives the source that a file was compiled from and is loaded
// for: Emacs takes x.elc where it finds it beside x.el. Python's byte code is
// matched where evidence is judged, as it may be kept elsewhere.
func (t *tree) compiledFrom(p string) (string, bool) {
	if path.Ext(p) != ".elc" {
		return "", false
	}
	source, ok := t.file(strings.TrimSuffix(p, "c"))
	return source, ok && path.Ext(source) == ".el" // not a link back to p
}

// glob gives the real paths of the files that a pattern leads to; with below,
// of all files in the directories that it leads to.
func (t *tree) glob(pattern string, below bool) []string {
	at := []string{"/"}
	for _, part := range strings.Split(strings.Trim(pattern, "/"), "/") {
		var next []string
		for _, dir := range at {
			names := []string{part}
			if strings.ContainsAny(part, "*?[") {
				names = t.children[dir]
			}
			for _, name := range names {
				if ok, err := path.Match(part, name); err != nil || !ok {
					continue
				}
				if real, k := t.resolve(path.Join(dir, name)); k != 0 {
					next = append(next, real)
				}
			}
		}
		at = next
	}
	var files []string
	for _, p := range at {
		switch k := t.nodes[p].kind; {
		case k == kindFile:
			files = append(files, p)
		case k == kindDir && below:
			t.walkFiles(p, nil, func(f string) bool { files = append(files, f); return true })
		}
	}
	return files
}
