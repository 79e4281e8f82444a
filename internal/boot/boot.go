// Package boot keeps the garbage collector still while the program's packages
// are initialised. They leave 17 MB, nearly all of it for good, and looking
// through it again and again would take a tenth of the time that the program
// needs to start. Packages that are ready are initialised by the order of their
// import paths (go.dev/ref/spec#Package_initialization), so this one, which
// imports next to nothing, comes before what leaves most.
package boot

import "runtime/debug"

// percent is what GOGC asks for.
var percent = debug.SetGCPercent(-1)

// Over lets the collector run as GOGC asks. The package that imports all others
// calls it when it is initialised itself.
func Over() { debug.SetGCPercent(percent) }
