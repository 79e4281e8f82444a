// Command app is the fixture's server. It uses golang.org/x/text at a version
// with published vulnerabilities.
package main

import (
	"fmt"
	"log"
	"net/http"
	"time"

	"golang.org/x/text/language"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		tags, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
		if err != nil {
			http.Error(w, "bad Accept-Language", http.StatusBadRequest)
			return
		}
		fmt.Fprintln(w, "hello", tags)
	})
	server := &http.Server{Addr: ":8080", ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}
