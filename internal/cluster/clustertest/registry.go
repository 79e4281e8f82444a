// Package clustertest holds what tests of clusters share.
package clustertest

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

// Addresses are those of one registry, HOST:PORT, without TLS: Here for this
// machine's programs, which take no other without a certificate, There for
// containers.
type Addresses struct{ Here, There string }

// Registry serves a registry that the nodes of a cluster on this machine reach.
// It keeps its blobs on disk. guard, if it is not nil, stands before it and
// reports whether a request may pass; else it has answered.
func Registry(t testing.TB, guard func(http.ResponseWriter, *http.Request) bool) Addresses {
	t.Helper()
	l, err := net.Listen("tcp", ":0")
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
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	return Addresses{Here: "localhost:" + port, There: net.JoinHostPort(OwnAddress(t), port)}
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
