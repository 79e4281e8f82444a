package catalog_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/catalog"
	it "github.com/vexxy/action/internal/catalog/catalogtest"
)

// BenchmarkRead reads an image of 150 packages with 60 files of 8 KiB each.
func BenchmarkRead(b *testing.B) {
	var debs []it.Deb
	for p := range 150 {
		d := it.Deb{Name: fmt.Sprintf("lib%d", p), Version: "1.0-1", Source: fmt.Sprintf("src%d", p/3)}
		for f := range 60 {
			d.Files = append(d.Files, it.File{
				Path: fmt.Sprintf("/usr/lib/x86_64-linux-gnu/%s/%d.so", d.Name, f),
				Body: "\x7fELF\x02\x01\x01" + strings.Repeat("\x00code", 2048),
			})
		}
		d.Files = append(d.Files, it.File{Path: "/usr/share/doc/" + d.Name + "/copyright", Body: "License: GPL-2+\n"})
		debs = append(debs, d)
	}
	img := it.Image(b, it.DebianRoot(debs...))
	ctx, err := shared()
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for b.Loop() {
		c, err := catalog.Read(ctx, img, "bench", b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		if len(c.Packages) != 150 || c.Incomplete != "" {
			b.Fatalf("%d packages, %s", len(c.Packages), c.Incomplete)
		}
	}
}
