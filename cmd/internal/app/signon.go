package app

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"usher/cmd/internal/adminapi"
	"usher/cmd/internal/credential"
	"usher/cmd/internal/limit"
	"usher/scim"
	"usher/sso"
	"usher/store"
)

// SignOn is the configuration of single sign-on.
type SignOn struct {
	AllowNetworks []string `toml:"allow_networks"` // that identity providers may be in though they are not public, "10.1.0.0/16"
	CAFile        string   `toml:"ca_file"`        // PEM file of authorities that their certificates may be by, beside the system's
	// InsecureLoopback lets identity providers be on this machine, also without TLS: for tests.
	InsecureLoopback bool `toml:"insecure_loopback"`
	PerAddress       int  `toml:"per_address"` // sign-ins begun from one address a minute; 20. Raise it where many people share one
	PerCompany       int  `toml:"per_company"` // sign-ins begun in one company a minute; 300
}

// check says what is wrong with it, each by the name of the setting.
func (s SignOn) check(bad func(key, format string, args ...any)) {
	if _, err := s.network(); err != nil {
		bad("sso", "%v", err)
	}
	if s.PerAddress < 0 || s.PerCompany < 0 {
		bad("sso.per_address, sso.per_company", "cannot be negative")
	}
}

func (s SignOn) network() (sso.Network, error) {
	n := sso.Network{Loopback: s.InsecureLoopback}
	allowed, err := prefixes(s.AllowNetworks)
	if err != nil {
		return n, fmt.Errorf("allow_networks: %w", err)
	}
	n.Allow = allowed
	if s.CAFile == "" {
		return n, nil
	}
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		return n, fmt.Errorf("ca_file: %w", err)
	}
	if n.Roots, err = x509.SystemCertPool(); err != nil {
		n.Roots = x509.NewCertPool()
	}
	if !n.Roots.AppendCertsFromPEM(pem) {
		return n, fmt.Errorf("ca_file: %s has no certificate in PEM form", s.CAFile)
	}
	return n, nil
}

// prefixes reads networks, "10.1.0.0/16", or single addresses.
func prefixes(names []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, name := range names {
		p, err := netip.ParsePrefix(name)
		if err != nil {
			ip, single := netip.ParseAddr(name)
			if single != nil {
				return nil, fmt.Errorf("%q is not a network like 10.1.0.0/16", name)
			}
			p = netip.PrefixFrom(ip, ip.BitLen())
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

// signOn makes the handler of sign-ins. base is the public address of the server; empty where none runs.
func (f *Folder) signOn(base string, c SignOn) (*sso.Handler, error) {
	network, err := c.network()
	if err != nil {
		return nil, err
	}
	return sso.NewHandler(sso.Config{
		Store: f.store, Directory: f.directory, Sealer: f.sealer, Hasher: f.hasher, BaseURL: base, Network: network,
		Rates: sso.Rates{Starts: c.PerAddress, Company: c.PerCompany, Callbacks: 3 * c.PerAddress}, Wait: limit.New().Wait,
		CheckPassword: credential.WrongLength, CheckCode: f.checkCode, Logger: f.log,
	})
}

// checkCode says whether a one-time password of a person is right.
func (f *Folder) checkCode(a store.Account, code string, now time.Time) (step int64, right bool, err error) {
	secret, err := f.sealer.Open(a.TOTP, adminapi.TOTPOwner(a.Company, a.ID))
	if err != nil {
		return 0, false, fmt.Errorf("one-time passwords: %w", err)
	}
	step, right = credential.CheckTOTP(secret, code, now, a.TOTPStep)
	return step, right, nil
}

// authenticate is scim.Config.Authenticate: a connection by its token, or a person by their session.
func (a *App) authenticate(r *http.Request) (scim.Principal, error) {
	if len(r.Header.Values("Authorization")) > 0 || a.signOn == nil {
		return a.folder.auth.authenticate(r)
	}
	p, err := a.signOn.Who(r)
	var absence *sso.Absence
	switch {
	case errors.As(err, &absence):
		return a.folder.auth.authenticate(r) // which says what is missing
	case err != nil:
		return scim.Principal{}, fmt.Errorf("session: %w", err)
	}
	// What a browser sends by itself could be another site's doing, so it can only read.
	return scim.Principal{Company: p.Company.ID, Person: p.Account.ID}, nil
}

// behindProxies gives requests that come through a trusted proxy the address of whoever asked the proxy.
func behindProxies(trusted []netip.Prefix, next http.Handler) http.Handler {
	if len(trusted) == 0 {
		return next
	}
	known := func(ip netip.Addr) bool {
		return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(ip.Unmap()) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && known(peer.Addr()) {
			if from := forwardedFor(r.Header.Values("X-Forwarded-For"), known); from != "" {
				r = r.Clone(r.Context())
				r.RemoteAddr = net.JoinHostPort(from, "0")
			}
		}
		next.ServeHTTP(w, r)
	})
}

// forwardedFor gives the last address that no trusted proxy has: whatever is before it anybody may have written.
func forwardedFor(header []string, known func(netip.Addr) bool) string {
	hops := strings.Split(strings.Join(header, ","), ",")
	last := ""
	for _, hop := range slices.Backward(hops) {
		ip, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		last = ip.Unmap().String()
		if !known(ip) {
			break
		}
	}
	return last
}

// insecure says whether browsers would not keep a sign-in's cookies, which they do over https and on their own machine.
func insecure(publicURL string) bool {
	u, err := url.Parse(publicURL)
	if err != nil || u.Scheme == "https" || u.Hostname() == "localhost" {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err != nil || !ip.IsLoopback()
}
