package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"usher/cmd/internal/adminapi"
	"usher/cmd/internal/app"
	"usher/cmd/internal/practiceidp"
	"usher/licensing"
	"usher/sso"
)

const (
	practiceName   = "practice" // of the connection
	practiceClient = "usher-demo"
	defaultAddr    = "127.0.0.1:8080"
	practiceAddr   = "127.0.0.1:8081" // beside the default address
)

// practice is the practice identity provider with its listener.
type practice struct {
	server   *http.Server
	listener net.Listener
}

// startPractice starts the practice identity provider, and lets the company's people sign in through it.
func startPractice(ctx context.Context, a *app.App, admin *adminapi.Client, addr string, log *slog.Logger) (*practice, error) {
	before, err := issuerBefore(ctx, admin)
	if err != nil {
		return nil, err
	}
	listener, err := listenPractice(addr, before)
	if err != nil {
		return nil, fmt.Errorf("the practice identity provider: %w", err)
	}
	p := &practice{listener: listener}
	if err := p.open(ctx, a, admin, before, log); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return p, nil
}

// issuerBefore is where the practice identity provider of an earlier run was; empty if there was none.
func issuerBefore(ctx context.Context, admin *adminapi.Client) (string, error) {
	s, err := admin.SignOn(ctx, companyName, practiceName)
	var p *adminapi.Problem
	if errors.As(err, &p) && p.Status == http.StatusNotFound {
		return "", nil
	}
	return s.Issuer, err
}

// listenPractice listens on the port of an earlier run, by which people are known, or on the one beside the default, or on any.
func listenPractice(addr, before string) (net.Listener, error) {
	var wanted []string
	if u, err := url.Parse(before); err == nil && u.Host != "" {
		wanted = append(wanted, u.Host)
	}
	if addr == defaultAddr {
		wanted = append(wanted, practiceAddr)
	}
	for _, at := range wanted {
		if l, err := net.Listen("tcp", at); err == nil {
			return l, nil
		}
	}
	return net.Listen("tcp", "127.0.0.1:0")
}

func (p *practice) open(ctx context.Context, a *app.App, admin *adminapi.Client, before string, log *slog.Logger) error {
	issuer, secret, auth, state := "http://"+p.listener.Addr().String(), rand.Text(), sso.AuthBasic, "active"
	client := practiceClient
	handler, err := practiceidp.New(practiceidp.Config{
		Issuer: issuer, ClientID: client, ClientSecret: secret, Logger: log,
		RedirectURIs: []string{strings.TrimSuffix(a.SignInURL(companyName), "/") + "/" + practiceName + "/callback"},
		LogoutURIs:   []string{a.SignOn().SignedOutURI()},
		People:       func(ctx context.Context) ([]practiceidp.Person, error) { return people(ctx, admin) },
	})
	if err != nil {
		return fmt.Errorf("the practice identity provider: %w", err)
	}
	const patience = 10 * time.Second
	p.server = &http.Server{Handler: handler, ReadHeaderTimeout: patience, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	go func() { _ = p.server.Serve(p.listener) }() // it ends when the listener is closed
	if before != "" && before != issuer {
		if err := forgetIdentities(ctx, admin); err != nil {
			return err
		}
	}
	_, err = admin.SetSignOn(ctx, companyName, practiceName, adminapi.SignOnChange{
		Issuer: &issuer, ClientID: &client, ClientSecret: secret, ClientAuth: &auth, State: state, Untested: true,
	})
	return err
}

// close ends the practice identity provider.
func (p *practice) close() error { return p.server.Close() }

// maxPeople is how many people the practice identity provider offers.
const maxPeople = 200

// people are those whom an identity provider has provisioned, with what signing in would come to.
func people(ctx context.Context, admin *adminapi.Client) ([]practiceidp.Person, error) {
	page, err := admin.Accounts(ctx, companyName, adminapi.AccountFilter{Limit: maxPeople})
	if err != nil {
		return nil, err
	}
	var all []practiceidp.Person
	for _, a := range page.Items {
		if a.ExternalID == "" {
			continue
		}
		note := licensing.License(a.EffectiveLicense).Name()
		switch {
		case !a.Active:
			note += ", deactivated"
		case a.MemberType == "guest":
			note += ", guest"
		case a.LicenseState == "waiting" || a.LicenseState == "blocked":
			note += fmt.Sprintf(", %s for %s", a.LicenseState, licensing.License(a.License).Name())
		}
		person := practiceidp.Person{Subject: a.ExternalID, UserName: a.UserName, Name: a.Display, Note: note}
		if strings.Contains(a.UserName, "@") {
			person.Email = a.UserName
		}
		all = append(all, person)
	}
	return all, nil
}

// forgetIdentities unlinks those whom the practice identity provider of an earlier run was another for.
func forgetIdentities(ctx context.Context, admin *adminapi.Client) error {
	page, err := admin.Accounts(ctx, companyName, adminapi.AccountFilter{Limit: maxPeople})
	if err != nil {
		return err
	}
	for _, a := range page.Items {
		if a.Subject == "" {
			continue
		}
		if err := admin.Unlink(ctx, companyName, a.ID); err != nil {
			return err
		}
	}
	return nil
}
