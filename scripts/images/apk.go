package main

import (
	"bytes"
	"context"
	"crypto/sha1" // apk's own choice
	"encoding/base64"
	"fmt"
	"path"
)

// apkTree is an image as apk leaves it: four packages, each with its files
// and a record in /lib/apk/db/installed (the format is described at
// https://wiki.alpinelinux.org/wiki/Apk_spec), and a Go tool that apk knows
// nothing of.
func apkTree(ctx context.Context, s *store, t *tree) error {
	const loader = "/lib/ld-musl-x86_64.so.1" // all of musl is in the loader
	musl, err := cLibrary(unit{name: "musl", version: "1.2.3", release: "r4", about: "C library"}, map[string]string{loader: loader})
	if err != nil {
		return err
	}
	units, err := s.units(ctx, "musl-gcc", "/usr/lib", "r0")
	if err != nil {
		return err
	}
	var db bytes.Buffer
	for _, u := range append(units, musl) {
		for _, f := range u.files {
			t.file(f.path, f.mode, f.data)
		}
		u.apk(&db)
	}
	t.file("/lib/apk/db/installed", 0o644, db.Bytes())
	t.file("/etc/apk/world", 0o644, []byte("serve\n"))
	t.file("/etc/alpine-release", 0o644, []byte("3.17.10\n"))
	t.file("/etc/os-release", 0o644, []byte("NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.17.10\nPRETTY_NAME=\"Alpine Linux v3.17\"\n"))
	t.file("/etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/bin/ash\n"))
	return s.goBuild(ctx, t, "/usr/local/bin/tool", "tool")
}

// apk writes the package's record.
func (u unit) apk(db *bytes.Buffer) {
	size := 0
	for _, f := range u.files {
		size += len(f.data)
	}
	fmt.Fprintf(db, "C:%s\nP:%s\nV:%s-%s\nA:x86_64\nS:%d\nI:%d\nT:%s\nU:https://example.test\nL:MIT\no:%s\nm:Fixture <fixture@example.test>\nt:%d\n",
		apkSum([]byte(u.name)), u.name, u.version, u.release, size/2, size, u.about, u.name, madeAt.Unix())
	for _, f := range u.files {
		fmt.Fprintf(db, "F:%s\nR:%s\na:0:0:%o\nZ:%s\n", path.Dir(f.path)[1:], path.Base(f.path), f.mode, apkSum(f.data))
	}
	db.WriteString("\n")
}

func apkSum(data []byte) string {
	sum := sha1.Sum(data)
	return "Q1" + base64.StdEncoding.EncodeToString(sum[:])
}
