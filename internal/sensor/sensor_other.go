//go:build !linux

package sensor

import (
	"context"
	"fmt"
	"io"
)

// Serve tells the client that this system cannot run the sensor.
func Serve(_ context.Context, _ io.Reader, out io.Writer) error {
	if _, err := fmt.Fprintf(out, `{"type":%q,"cause":%q,"error":%q}`+"\n", msgFailed, causeUnsupported, ErrUnsupported.Error()); err != nil {
		return err
	}
	return ErrUnsupported
}

// Probe says that this system cannot run the sensor.
func Probe(context.Context) Report {
	return Report{Checks: []ReportCheck{{
		Name: "eBPF sensor", Detail: ErrUnsupported.Error(),
		Remedy: "run on Linux, where the containers' kernel is this machine's",
	}}}
}
