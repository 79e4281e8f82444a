package objects

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vexxy/action/internal/fault"
)

// kubevuln answers a request at once and scans after it. While it cannot be
// asked, it is asked again.
const (
	askTimeout = 20 * time.Second
	askAgain   = 5 * time.Second
)

var errMute = fmt.Errorf("kubevuln did not answer within %s", askTimeout)

// ask has kubevuln scan the container, through the API server's proxy, as the
// operator does some time after an event
// (https://github.com/kubescape/kubevuln, POST /v1/scanApplicationProfile). It
// asks once, and again only where it could not.
func (h *hunt) ask(ctx context.Context) {
	if !h.askedAt.IsZero() && (h.asked == nil || time.Since(h.askedAt) < askAgain) {
		return
	}
	h.askedAt = time.Now()
	body, err := json.Marshal(map[string]any{
		"wlid": h.profile.Annotations[keyWLID],
		"args": map[string]string{"name": h.asks, "namespace": h.profile.Namespace},
	})
	if err != nil {
		h.asked = fmt.Errorf("encoding the request to kubevuln: %w", err)
		return
	}
	ctx, cancel := context.WithTimeoutCause(ctx, askTimeout, errMute)
	defer cancel()
	err = h.client.kube.CoreV1().RESTClient().Post().Namespace(h.client.home).Resource("services").Name("http:kubevuln:8080").
		SubResource("proxy").Suffix("v1", "scanApplicationProfile").MaxRetries(0).
		SetHeader("Content-Type", "application/json").Body(body).Do(ctx).Error()
	h.asked = unasked(ctx, err)
}

// unasked says why kubevuln could not be asked.
func unasked(ctx context.Context, err error) error {
	say := func(hint, format string, args ...any) error { return fault.New(fault.Infra, hint, format, args...) }
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(ctx), errMute):
		return say("see kubevuln's log", "%w", errMute)
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return say("let the kubeconfig's user create services/proxy in Kubescape's namespace; until then its operator must ask, after its own delay",
			"asking kubevuln: %s", message(err))
	case apierrors.IsServiceUnavailable(err):
		return say("see its log: it is ready only once it has a vulnerability database, which it downloads unless one is mounted",
			"asking kubevuln: it is not ready: %s", message(err))
	case apierrors.IsNotFound(err):
		return say("enable capabilities.vulnerabilityScan by values", "asking kubevuln: there is no such service: %s", message(err))
	}
	return say("see kubevuln's log", "asking kubevuln: %s", message(err))
}
