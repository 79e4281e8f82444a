package kubescape

import (
	"errors"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/fault"
)

func TestChoose(t *testing.T) {
	candidates, err := containersOf(objectsOf(t, shop+`
---
{apiVersion: v1, kind: Pod, metadata: {name: second}, spec: {containers: [{name: web, image: "example.com/second@sha256:`+strings.Repeat("0", 64)+`"}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: third}, spec: {containers: [{name: other, image: "example.com/second:3"}, {name: hub, image: nginx}, {name: odd, image: "UPPER CASE"}]}}
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, wanted, repository, want, hint string }{
		{"by image", "", "example.com/shop", "statefulset/shop/web", ""},
		{"by image of Docker Hub", "", "index.docker.io/library/nginx", "pod/third/hub", ""},
		{"by name", "beside", "example.com/shop", "statefulset/shop/beside", ""},
		{"by full name", "Pod/second/web", "example.com/shop", "pod/second/web", ""},
		{"a name of two", "web", "", "", "pod/second/web, statefulset/shop/web"},
		{"an image of two", "", "example.com/second", "", "pod/second/web, pod/third/other"},
		{"no such name", "nobody", "", "", "statefulset/shop/beside"},
		{"no such object", "pod/shop/web", "", "", "statefulset/shop/web"},
		{"no such image", "", "example.com/shopping", "", "statefulset/shop/web"},
		{"an image without a name", "", "", "", "workload-container"},
		{"of a CronJob", "sum", "", "", "Job"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := choose(candidates, c.wanted, c.repository)
			if c.want != "" {
				if err != nil || got.String() != c.want {
					t.Errorf("it is %v, %v", got, err)
				}
				return
			}
			var f *fault.Error
			if !errors.As(err, &f) || f.Code != fault.Usage || !strings.Contains(f.Hint, c.hint) {
				t.Errorf("the error is %v (%+v)", err, f)
			}
		})
	}
}
