package sso

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// Network says where identity providers may be reached. The zero value lets them be anywhere in the public internet, over https.
type Network struct {
	// Allow are networks that are reached though they are not public, for identity providers on the premises.
	Allow []netip.Prefix
	// Loopback lets identity providers be on this machine, also over plain http. It is for demonstrations and tests.
	Loopback bool
	// Roots are the authorities that certificates are held against; nil: those of the system.
	Roots *x509.CertPool
	// Timeout is how long an answer of an identity provider is waited for; 0: five seconds.
	Timeout time.Duration
}

const (
	outboundTimeout = 5 * time.Second
	// maxAnswer is how much is read of it, in bytes.
	maxAnswer = 1 << 20
	// maxAnswerHeader is how much is read of its header, in bytes.
	maxAnswerHeader = 64 << 10
)

var (
	errBlocked  = errors.New("the address is in a network that is not connected to")
	errTooLarge = errors.New("the answer is too large")
)

// client makes the client by which identity providers are asked. It follows no redirects: whoever is asked answers, or nobody does.
func (n Network) client() *http.Client {
	limit := cmp.Or(n.Timeout, outboundTimeout)
	dialer := &net.Dialer{Timeout: limit, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		return n.mayDial(address)
	}}
	return &http.Client{
		Timeout:       limit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: guard{n, &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: limit, ResponseHeaderTimeout: limit,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: n.Roots}, MaxResponseHeaderBytes: maxAnswerHeader,
			MaxIdleConnsPerHost: 4, MaxConnsPerHost: 32, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
			DisableCompression: true, // so that nothing small becomes large
		}},
	}
}

// mayDial looks at the address that a name has been resolved to, at the moment at which it is connected to.
func (n Network) mayDial(address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %s", errBlocked, address)
	}
	if ip := at.Addr().Unmap().WithZone(""); !n.allows(ip) {
		return fmt.Errorf("%w: %s", errBlocked, ip)
	}
	return nil
}

func (n Network) allows(ip netip.Addr) bool {
	for _, p := range n.Allow {
		if p.Contains(ip) {
			return true
		}
	}
	if ip.IsLoopback() {
		return n.Loopback
	}
	return public(ip)
}

// public says whether an address is one of the public internet.
func public(ip netip.Addr) bool {
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return false
	}
	for _, p := range special() {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}

// special are networks of IANA's registries of special addresses that package netip has no question for.
func special() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
		netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
		netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
		netip.MustParsePrefix("::/96"), netip.MustParsePrefix("::ffff:0:0:0/96"), netip.MustParsePrefix("3fff::/20"), netip.MustParsePrefix("5f00::/16"),
		netip.MustParsePrefix("168.63.129.16/32"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("100::/64"),
		netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fec0::/10"),
	}
}

// mayAsk says what is wrong with the address of an identity provider or of one of its endpoints; nil: nothing.
func (n Network) mayAsk(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return errors.New("it is no address")
	case u.Opaque != "" || u.Hostname() == "":
		return errors.New("it has no host")
	case u.User != nil:
		return errors.New("it has a user name in it")
	case u.Fragment != "":
		return errors.New("it has a fragment")
	}
	ip, err := netip.ParseAddr(u.Hostname())
	literal := err == nil
	here := u.Hostname() == "localhost" || literal && ip.IsLoopback()
	switch {
	case u.Scheme != "https" && (u.Scheme != "http" || !here || !n.Loopback):
		return errors.New("it is not an https address")
	case literal && !n.allows(ip.Unmap()):
		return errBlocked
	}
	return nil
}

// guard looks at each request before it goes out, and cuts the answer off.
type guard struct {
	Network
	next http.RoundTripper
}

func (g guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := g.mayAsk(r.URL.String()); err != nil {
		return nil, fmt.Errorf("%s: %w", r.URL.Host, err)
	}
	resp, err := g.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = &bounded{ReadCloser: resp.Body, left: maxAnswer}
	return resp, nil
}

// bounded fails when more is read of it than it may have.
type bounded struct {
	io.ReadCloser
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
