package attest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/go-openapi/runtime"
	httptransport "github.com/go-openapi/runtime/client"
	"github.com/go-openapi/strfmt"
	rekorv1 "github.com/sigstore/rekor/pkg/generated/client"
	"github.com/sigstore/rekor/pkg/util"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/sign"

	"github.com/vexxy/action/internal/fault"
)

// services are what takes part in a signature, as a signing configuration
// names it (https://github.com/sigstore/protobuf-specs, SigningConfig).
type services struct {
	fulcio string
	rekor  []root.Service
	tsa    []root.Service
}

// maxConfig bounds signing configurations and trusted roots, in bytes.
const maxConfig = 4 << 20

// private reads the signing configuration and the trusted root of a private
// instance.
func private(signingConfig, trustedRoot string) (services, *root.TrustedRoot, error) {
	tr, err := ReadTrustedRoot(trustedRoot)
	if err != nil {
		return services{}, nil, err
	}
	raw, err := readConfig(signingConfig, "sigstore-signing-config")
	if err != nil {
		return services{}, nil, err
	}
	sc, err := root.NewSigningConfigFromJSON(raw)
	if err != nil {
		return services{}, nil, fault.New(fault.Usage, "give a signing configuration as cosign signing-config create writes it",
			"reading sigstore-signing-config: %s", bounded(err.Error()))
	}
	s, err := choose(sc)
	return s, tr, err
}

// ReadTrustedRoot reads a trusted root's file.
func ReadTrustedRoot(path string) (*root.TrustedRoot, error) {
	raw, err := readConfig(path, "sigstore-trusted-root")
	if err != nil {
		return nil, err
	}
	return ParseTrustedRoot(raw)
}

// ParseTrustedRoot reads a trusted root in its JSON form.
func ParseTrustedRoot(raw []byte) (*root.TrustedRoot, error) {
	tr, err := root.NewTrustedRootFromJSON(raw)
	if err != nil {
		return nil, fault.New(fault.Usage, "give a trusted root as cosign trusted-root create writes it",
			"reading sigstore-trusted-root: %s", bounded(err.Error()))
	}
	return tr, nil
}

func readConfig(path, input string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.New(fault.Usage, "name a file", "reading %s: %w", input, err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(raw) > maxConfig {
		err = fmt.Errorf("it has more than %d bytes", maxConfig)
	}
	if err != nil {
		return nil, fault.New(fault.Usage, "name another file", "reading %s: %w", input, err)
	}
	return raw, nil
}

// choose takes the services that are valid now. Of a log's two kinds the older
// is taken where there is a choice: only its entries fit into cosign's older
// layout, and all consumers read them.
func choose(sc *root.SigningConfig) (services, error) {
	bad := func(what string, err error) (services, error) {
		return services{}, fault.New(fault.Usage, "give a signing configuration whose services are valid now", "choosing %s: %s", what, bounded(err.Error()))
	}
	var s services
	now := time.Now()
	if all := sc.FulcioCertificateAuthorityURLs(); len(all) > 0 {
		f, err := root.SelectService(all, sign.FulcioAPIVersions, now)
		if err != nil {
			return bad("a certificate authority", err)
		}
		s.fulcio = f.URL
	}
	if all := sc.RekorLogURLs(); len(all) > 0 {
		var err error
		for _, versions := range [][]uint32{{1}, sign.RekorAPIVersions} {
			if s.rekor, err = root.SelectServices(all, sc.RekorLogURLsConfig(), versions, now); err == nil {
				break
			}
		}
		if err != nil {
			return bad("a transparency log", err)
		}
	}
	if all := sc.TimestampAuthorityURLs(); len(all) > 0 {
		var err error
		if s.tsa, err = root.SelectServices(all, sc.TimestampAuthorityURLsConfig(), sign.TimestampAuthorityAPIVersions, now); err != nil {
			return bad("a time-stamping authority", err)
		}
	}
	return s, nil
}

// logs gives the clients of the transparency logs.
func (s services) logs(ctx context.Context, keys sign.Keypair) []sign.Transparency {
	var all []sign.Transparency
	for _, r := range s.rekor {
		if r.MajorAPIVersion != 1 {
			all = append(all, tiles{r.URL, keys})
			continue
		}
		o := &sign.RekorOptions{BaseURL: r.URL, Version: r.MajorAPIVersion, Timeout: serviceTimeout}
		if u, err := url.Parse(r.URL); err == nil {
			o.Client = rekorClient(ctx, u)
		}
		all = append(all, sign.NewRekor(o))
	}
	return all
}

// rekorClient is Rekor's own client over a bounded transport.
func rekorClient(ctx context.Context, u *url.URL) sign.RekorClient {
	path := u.Path
	if path == "" {
		path = rekorv1.DefaultBasePath
	}
	rt := httptransport.NewWithClient(u.Host, path, []string{u.Scheme}, &http.Client{Transport: serviceTransport{ctx}})
	rt.Consumers["application/json"] = runtime.JSONConsumer()
	rt.Producers["application/json"] = runtime.JSONProducer()
	formats := strfmt.NewFormats()
	formats.Add("signedCheckpoint", &util.SignedNote{}, util.SignedCheckpointValidator)
	return rekorv1.New(rt, formats).Entries
}

// authorities gives the clients of the time-stamping authorities.
func (s services) authorities(ctx context.Context) []*sign.TimestampAuthority {
	var all []*sign.TimestampAuthority
	for _, t := range s.tsa {
		all = append(all, sign.NewTimestampAuthority(&sign.TimestampAuthorityOptions{URL: t.URL, Timeout: -1, Transport: serviceTransport{ctx}}))
	}
	return all
}

// Bounds of an exchange with a signing service.
const (
	serviceTimeout = 30 * time.Second
	maxAnswer      = 4 << 20
	serviceTries   = 3
)

// refusal is an answer that is none. What else it says stays out of messages:
// services quote what they were sent.
type refusal struct {
	host   string
	status int
}

func (r refusal) Error() string {
	return fmt.Sprintf("%s answers with status %d", cut(r.host), r.status)
}

// serviceTransport carries requests to signing services: every exchange is
// bounded in size and time, tried again where the service is busy, and fails
// where it refuses. It ends with the context, which not every client hands on.
type serviceTransport struct{ ctx context.Context }

// RoundTrip implements http.RoundTripper.
func (t serviceTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	for try := 1; ; try++ {
		resp, err := t.once(req)
		if err == nil && resp.StatusCode < 300 {
			return resp, nil
		}
		busy := err != nil
		if err == nil {
			resp.Body.Close()
			busy = resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500
			err = refusal{req.URL.Host, resp.StatusCode}
		}
		if !busy || try == serviceTries || req.Body != nil && req.GetBody == nil {
			return nil, err
		}
		select {
		case <-t.ctx.Done():
			return nil, context.Cause(t.ctx)
		case <-time.After(time.Duration(try*try) * time.Second / 2):
		}
	}
}

func (t serviceTransport) once(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(t.ctx, serviceTimeout, fmt.Errorf("%s did not answer within %s", req.URL.Host, serviceTimeout))
	out := req.Clone(ctx)
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			cancel()
			return nil, err
		}
		out.Body = body
	}
	resp, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		cancel()
		return nil, err
	}
	resp.Body = answer{io.LimitReader(resp.Body, maxAnswer), resp.Body, cancel}
	return resp, nil
}

// answer is a bounded body that ends its exchange when it is closed.
type answer struct {
	io.Reader
	body   io.Closer
	cancel context.CancelFunc
}

func (a answer) Close() error {
	defer a.cancel()
	return a.body.Close()
}

var errNoAuthority = errors.New("the signing configuration names no certificate authority")
