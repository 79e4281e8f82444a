package kubescape

import (
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vexxy/action/internal/foreign"
)

// isMissing reports whether the API server knows no such object.
func isMissing(err error) bool { return apierrors.IsNotFound(err) }

// maxText bounds a text that the cluster gives, in bytes.
const maxText = 300

// text makes one bounded line of a text that the cluster gives.
func text(s string) string { return foreign.Text(s).Line(maxText) }
