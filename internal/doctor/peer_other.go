//go:build !linux

package doctor

import (
	"context"
	"errors"
)

// peer tells nothing where no run is possible.
func peer(context.Context, string) (int32, error) { return 0, errors.ErrUnsupported }
