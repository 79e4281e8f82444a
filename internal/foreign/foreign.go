// Package foreign holds the one type for text that came from an image, a
// registry, a cluster or an API, and one encoder for each sink that such text
// may reach. Nothing else may print it.
package foreign

// Text is hostile text: any bytes, any length.
type Text string
