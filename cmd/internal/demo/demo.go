package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"

	"usher/cmd/internal/adminapi"
	"usher/cmd/internal/app"
	"usher/licensing"
)

const (
	companyName = "acme"
	operator    = "demo"
	ringexSeats = 3    // unless the options say otherwise
	playground  = 6000 // sign-ins a minute: programs try them too
)

// Options say how the demo runs.
type Options struct {
	Addr       string         // where to listen
	Data       string         // the data folder; empty: a fresh one that is removed in the end
	Store      string         // the database that has the records; empty: they are in the data folder
	Seats      map[string]int // paid license -> seats
	SeatPolicy string         // "waiting" or "strict"
	Empty      bool           // the sync is not played
	JSON       bool           // the first line on stdout is a ready
}

// ready is what other programs need to know of the running demo.
type ready struct {
	SCIMBase  string `json:"scim_base"`
	SCIMToken string `json:"scim_token"`
	// The local super-admin; empty when the company was there already, because the password is shown only once.
	AdminUser     string `json:"admin_user,omitempty"`
	AdminPassword string `json:"admin_password,omitempty"`
	AdminAPI      string `json:"admin_api"`
	Company       string `json:"company"`
	SSOStart      string `json:"sso_start"` // where people sign in, through the practice identity provider
}

// Run starts the server, fills it and serves until the context ends. With Options.JSON stdout has one line once the server is
// ready and everything else goes to stderr.
func Run(ctx context.Context, o Options, stdout, stderr io.Writer) (err error) {
	dir := o.Data
	if dir == "" {
		if dir, err = os.MkdirTemp("", "usher-demo-"); err != nil {
			return fmt.Errorf("cannot make a data folder: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	// Each request logs a line; in the demo only what went wrong is of interest.
	log := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	a, err := app.New(ctx, app.Config{
		Addr: o.Addr, Data: dir, Store: o.Store,
		SignOn: app.SignOn{InsecureLoopback: true, PerAddress: playground, PerCompany: playground}, // the practice identity provider is on this machine
	}, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()

	// The server ends with the context, or when the demo cannot be set up.
	serving, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- a.Run(serving) }()

	told := stdout
	if o.JSON {
		told = stderr
	}
	r, err := fill(serving, a, o, told, stderr)
	if err != nil {
		stop()
		if ended := <-served; ended != nil {
			return ended
		}
		if ctx.Err() != nil { // interrupted meanwhile
			return nil
		}
		return fmt.Errorf("cannot set up the demo: %w", err)
	}
	idp, err := startPractice(serving, a, adminapi.InProcess(a.Admin(), operator), o.Addr, log)
	if err != nil {
		stop()
		return errors.Join(err, <-served)
	}
	defer func() { err = errors.Join(err, idp.close()) }()
	if o.JSON {
		if err := json.NewEncoder(stdout).Encode(r); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	}
	r.tell(told, dir)
	return <-served
}

// fill makes the company or finds that of an earlier run, plays the sync into a new one, and shows who has which license.
func fill(ctx context.Context, a *app.App, o Options, out, progress io.Writer) (ready, error) {
	admin := adminapi.InProcess(a.Admin(), operator)
	companies, err := admin.Companies(ctx)
	if err != nil {
		return ready{}, err
	}
	known := slices.ContainsFunc(companies, func(c adminapi.Company) bool { return c.Name == companyName })
	r := ready{Company: companyName, AdminAPI: a.AdminBase(), SSOStart: a.SignInURL(companyName)}
	if !known {
		made, err := makeCompany(ctx, admin, o)
		if err != nil {
			return ready{}, err
		}
		r.AdminUser, r.AdminPassword = made.Admin, made.AdminPassword
	}
	// Its own connection, so that whoever uses the token does not take over the people of the other two.
	c, err := connect(ctx, a, admin, "demo", "usher-demo")
	if err != nil {
		return ready{}, err
	}
	switch {
	case known:
		fmt.Fprintf(progress, "The data folder has the company %s already; this is how it stands.\n", companyName)
	case !o.Empty:
		if err := playSync(ctx, a, admin, progress); err != nil {
			return ready{}, err
		}
	}
	if known || !o.Empty {
		if err := report(ctx, c, out); err != nil {
			return ready{}, err
		}
	}
	r.SCIMBase, r.SCIMToken = c.base, c.token
	return r, nil
}

func makeCompany(ctx context.Context, admin *adminapi.Client, o Options) (adminapi.CreatedCompany, error) {
	seats := map[string]int{string(licensing.RingEX): ringexSeats}
	maps.Copy(seats, o.Seats)
	return admin.CreateCompany(ctx, adminapi.NewCompany{
		Name: companyName, Display: "Acme", Tier: licensing.TierVideoProPlus, Seats: seats, SeatPolicy: o.SeatPolicy,
		Domains: []string{"acme.example"}, Admin: "admin",
		LossPercent: 100, // a playground: test suites delete as fast as they create
	})
}

// connect makes a token of the connection and a client that uses it.
func connect(ctx context.Context, a *app.App, admin *adminapi.Client, connection, agent string) (client, error) {
	t, err := admin.CreateToken(ctx, companyName, adminapi.NewToken{Connection: connection, AssignLicenses: true})
	return client{base: a.SCIMBase(), token: t.Secret, agent: agent}, err
}

func playSync(ctx context.Context, a *app.App, admin *adminapi.Client, out io.Writer) error {
	o, err := connect(ctx, a, admin, "okta", "Okta SCIM Client 1.0.0")
	if err != nil {
		return err
	}
	e, err := connect(ctx, a, admin, "entra", "") // Entra sends no User-Agent
	if err != nil {
		return err
	}
	steps := script(okta{o, map[string]string{}}, entra{e, map[string]string{}}, admin)
	return play(ctx, steps, newProgress(out, len(steps)))
}

// tell prints what a person needs to go on.
func (r ready) tell(w io.Writer, dir string) {
	fmt.Fprintf(w, `
SCIM base   %[1]s
SCIM token  %[2]s
admin API   %[5]s
sign in     %[6]s (practice identity provider, without passwords)
company     %[3]s
data        %[4]s

Try   curl -H 'Authorization: Bearer %[2]s' '%[1]s/Users?filter=userName%%20sw%%20%%22a%%22'
      usher license list --company %[3]s --data %[4]s
Stop with Ctrl-C.
`, r.SCIMBase, r.SCIMToken, r.Company, dir, r.AdminAPI+r.signIn(), r.SSOStart)
}

// signIn says how the local super-admin signs in.
func (r ready) signIn() string {
	if r.AdminUser == "" {
		return ""
	}
	return fmt.Sprintf(" (login %s, password %s)", r.AdminUser, r.AdminPassword)
}
