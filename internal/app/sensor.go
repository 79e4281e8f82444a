package app

import (
	"context"
	"os"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/sensor"
)

// sensorCommand is the privileged helper: it speaks the sensor's protocol on
// its standard streams and ends when its input closes. Signals of the
// terminal are not for it: its parent ends it in its own time.
func sensorCommand(ctx context.Context, s Streams, _ []string) (fault.Code, error) {
	if err := sensor.Serve(context.WithoutCancel(ctx), s.In, s.Out); err != nil {
		return fault.Infra, err
	}
	return fault.Pass, nil
}

// selfCommand is the argument list that starts this program as the helper.
func selfCommand() ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return []string{self, "sensor"}, nil
}
