package source

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/vexxy/action/internal/fault"
)

// network is the way out; the zero value of each field is the real one.
type network struct {
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
	// stall is how long a registry may send nothing.
	stall time.Duration
}

func (n network) defaults() network {
	if n.lookup == nil {
		n.lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if n.dial == nil {
		n.dial = (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	}
	n.stall = cmp.Or(n.stall, time.Minute)
	return n
}

// zone orders addresses by how close they are to this machine.
type zone int

const (
	public zone = iota
	private
	loopback
	never // link-local (cloud metadata lives there), multicast, unspecified
)

// shared is the address space of carriers (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")

func zoneOf(a netip.Addr) zone {
	a = a.Unmap()
	switch {
	case a.IsLoopback():
		return loopback
	case a.IsLinkLocalUnicast(), a.IsMulticast(), a.IsUnspecified(), !a.IsValid():
		return never
	case a.IsPrivate(), shared.Contains(a):
		return private
	}
	return public
}

// reach decides which addresses requests on behalf of a registry may go to.
// The registry itself was named by the user. Any other host was named by the
// registry, as the realm of its tokens or by a redirect: it must not be closer
// to this machine than the registry is.
type reach struct {
	registry string // host or host:port
	network  network

	mu      sync.Mutex
	zone    *zone           // of the registry, once known
	proxies map[string]bool // host:port of the proxies in use
}

// transport makes the transport whose every connection is decided on.
func (r *reach) transport() http.RoundTripper {
	return &http.Transport{
		Proxy:                  r.proxy,
		DialContext:            r.dial,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    8,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    15 * time.Second,
		MaxResponseHeaderBytes: 256 << 10,
	}
}

// proxy gives the environment's proxy and remembers that it may be dialled.
func (r *reach) proxy(req *http.Request) (*url.URL, error) {
	u, err := http.ProxyFromEnvironment(req)
	if u == nil || err != nil {
		return u, err
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.proxies == nil {
		r.proxies = map[string]bool{}
	}
	r.proxies[net.JoinHostPort(u.Hostname(), cmp.Or(port, "80"))] = true
	return u, nil
}

// dial connects to the first address of the host that is allowed. It dials
// what it looked up, so that a second look-up cannot differ.
func (r *reach) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	isProxy := r.proxies[address]
	r.mu.Unlock()
	if isProxy {
		return r.network.dial(ctx, network, address)
	}
	addrs, err := r.addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	var last error
	for _, a := range addrs {
		if err := r.allow(ctx, host, a); err != nil {
			last = err
			continue
		}
		conn, err := r.network.dial(ctx, network, net.JoinHostPort(a.String(), port))
		if err == nil {
			return conn, nil
		}
		last = err
	}
	if last == nil {
		last = &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	return nil, last
}

func (r *reach) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	return r.network.lookup(ctx, host)
}

// allowURL decides on a URL by its host's spelling, for requests that a proxy
// will connect and for transports that are not ours.
func (r *reach) allowURL(ctx context.Context, u *url.URL) error {
	host := u.Hostname()
	if strings.EqualFold(host, "localhost") || strings.HasSuffix(strings.ToLower(host), ".localhost") {
		return r.allow(ctx, host, netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return r.allow(ctx, host, a)
	}
	return nil
}

// allow decides on one address of a host.
func (r *reach) allow(ctx context.Context, host string, a netip.Addr) error {
	if strings.EqualFold(host, hostname(r.registry)) {
		return nil
	}
	if z := zoneOf(a); z == public || z != never && z <= r.registryZone(ctx) {
		return nil
	}
	return fault.New(fault.Infra, "do not use this registry before you know why",
		"registry %s points to %s (%s), which is not for it to name", cut(r.registry), cut(host), a)
}

// registryZone is the zone of the registry's most public address.
func (r *reach) registryZone(ctx context.Context) zone {
	r.mu.Lock()
	known := r.zone
	r.mu.Unlock()
	if known != nil {
		return *known
	}
	z := public
	if addrs, err := r.addresses(ctx, hostname(r.registry)); err == nil && len(addrs) > 0 {
		z = never
		for _, a := range addrs {
			z = min(z, zoneOf(a))
		}
		z = min(z, loopback)
	}
	r.mu.Lock()
	r.zone = &z
	r.mu.Unlock()
	return z
}

// hostname is a registry's host without its port.
func hostname(registry string) string {
	return (&url.URL{Host: registry}).Hostname()
}
