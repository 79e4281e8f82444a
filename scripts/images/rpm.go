package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// rpmTree is an image as rpm leaves it: four packages that rpmbuild made and
// rpm entered into its database, and a Go tool that rpm knows nothing of. The
// database holds the time of its making, so its digest differs from build to
// build.
func rpmTree(ctx context.Context, s *store, t *tree) error {
	glibc, err := cLibrary(unit{name: "glibc", version: "2.34", release: "60.el9", about: "C library"}, map[string]string{
		"/usr/lib64/ld-linux-x86-64.so.2": "/lib64/ld-linux-x86-64.so.2",
		"/usr/lib64/libc.so.6":            "/lib/x86_64-linux-gnu/libc.so.6",
		"/usr/lib64/libm.so.6":            "/lib/x86_64-linux-gnu/libm.so.6",
	})
	if err != nil {
		return err
	}
	units, err := s.units(ctx, "gcc", "/usr/lib64", "1.el9")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(s.cachePath(""), "rpm-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	t.symlink("/lib64", "usr/lib64")
	var packages []string
	for _, u := range append(units, glibc) {
		for _, f := range u.files {
			t.file(f.path, f.mode, f.data)
		}
		file, err := s.rpmBuild(ctx, dir, u)
		if err != nil {
			return err
		}
		packages = append(packages, file)
	}
	db := filepath.Join(dir, "db")
	args := append([]string{"rpm", "--force-debian", "--dbpath", db, "--justdb", "--nodeps", "--noscripts", "--nosignature", "-i"}, packages...)
	if err := s.command(ctx, dir, []string{"HOME=" + dir}, args...); err != nil {
		return fmt.Errorf("filling the rpm database: %w", err)
	}
	if err := t.copy("/var/lib/rpm/rpmdb.sqlite", 0o644, filepath.Join(db, "rpmdb.sqlite")); err != nil {
		return err
	}
	// The copy is written out only at the end, when dir is gone: read it now.
	if err := t.hold(); err != nil {
		return err
	}
	t.file("/etc/os-release", 0o644, []byte("NAME=\"Rocky Linux\"\nID=rocky\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.3\"\nPRETTY_NAME=\"Rocky Linux 9.3\"\n"))
	t.file("/etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/bin/bash\n"))
	return s.goBuild(ctx, t, "/usr/local/bin/tool", "tool")
}

// rpmBuild makes one package and gives its file.
func (s *store) rpmBuild(ctx context.Context, dir string, u unit) (string, error) {
	var spec bytes.Buffer
	fmt.Fprintf(&spec, "Name: %s\nVersion: %s\nRelease: %s\nSummary: %s\nLicense: MIT\nAutoReqProv: no\n\n%%description\n%s.\n\n%%files\n",
		u.name, u.version, u.release, u.about, u.about)
	root := filepath.Join(dir, "root-"+u.name)
	for _, f := range u.files {
		to := filepath.Join(root, f.path)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(to, f.data, os.FileMode(f.mode)); err != nil {
			return "", err
		}
		fmt.Fprintln(&spec, f.path)
	}
	name := filepath.Join(dir, u.name+".spec")
	if err := os.WriteFile(name, spec.Bytes(), 0o644); err != nil {
		return "", err
	}
	args := []string{"rpmbuild", "-bb", "--quiet", "--buildroot", root, "--target", "x86_64-linux", "--noclean"}
	for _, define := range []string{
		"_topdir " + dir, "_build_id_links none", "debug_package %{nil}", "__os_install_post %{nil}",
		"_buildhost fixture", "use_source_date_epoch_as_buildtime 1", "clamp_mtime_to_source_date_epoch 1",
	} {
		args = append(args, "--define", define)
	}
	env := []string{fmt.Sprintf("SOURCE_DATE_EPOCH=%d", madeAt.Unix()), "HOME=" + dir}
	if err := s.command(ctx, dir, env, append(args, name)...); err != nil {
		return "", fmt.Errorf("building rpm %s: %w", u.name, err)
	}
	return filepath.Join(dir, "RPMS/x86_64", strings.Join([]string{u.name, u.version, u.release + ".x86_64.rpm"}, "-")), nil
}
