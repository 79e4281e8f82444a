// Command grypedb makes and serves a small vulnerability database in Grype's
// format (schema 6), by Grype's own writer and without a network.
//
//	grypedb build RECORDS.json OUT   OUT/www/v6 as a server has it, OUT/installed as Grype installs it
//	grypedb serve DIR ADDRESS        DIR as http://ADDRESS/databases, in the place of grype.anchore.io
//	grypedb install FROM TO          copies a tree: for containers that have no shell
package main

import (
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
)

func main() {
	log.SetFlags(log.Ltime)
	if err := run(os.Args[1:]); err != nil {
		log.Fatal("grypedb: ", err)
	}
}

var errUsage = errors.New("usage: grypedb build RECORDS.json OUT | serve DIR ADDRESS | install FROM TO")

func run(args []string) error {
	if len(args) != 3 {
		return errUsage
	}
	switch args[0] {
	case "build":
		return build(args[1], args[2])
	case "serve":
		return serve(args[1], args[2])
	case "install":
		return os.CopyFS(args[2], os.DirFS(args[1]))
	}
	return errUsage
}

// serve hands out the files and tells of each request.
func serve(dir, address string) error {
	files := http.StripPrefix("/databases", http.FileServer(http.Dir(dir)))
	err := http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		log.Printf("%s %q", r.Method, r.URL.Path)
		files.ServeHTTP(w, r)
	}))
	return fmt.Errorf("serving %s: %w", dir, err)
}
