// Command tool prints YAML anew. It uses gopkg.in/yaml.v2 at a version with
// published vulnerabilities; nobody runs it in the fixture.
package main

import (
	"fmt"
	"io"
	"log"
	"os"

	"gopkg.in/yaml.v2"
)

func main() {
	data, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	var value any
	if err := yaml.Unmarshal(data, &value); err != nil {
		log.Fatal(err)
	}
	out, err := yaml.Marshal(value)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(out))
}
