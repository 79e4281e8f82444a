// Package clustertest holds what tests of clusters share.
package clustertest

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

// Registry is a registry that the nodes of a cluster on this machine reach, at
// HOST:PORT without TLS. It keeps its blobs on disk. guard, if it is not nil,
// stands before it and reports whether a request may pass; else it has
// answered.
func Registry(t testing.TB, guard func(http.ResponseWriter, *http.Request) bool) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(OwnAddress(t), "0"))
	if err != nil {
		t.Fatal(err)
	}
	real := registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithBlobHandler(registry.NewDiskBlobHandler(t.TempDir())))
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if guard == nil || guard(w, r) {
			real.ServeHTTP(w, r)
		}
	}))
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	return l.Addr().String()
}

// OwnAddress is an address of this machine that containers can reach.
func OwnAddress(t testing.TB) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	t.Fatal("this machine has no address but its own")
	return ""
}
