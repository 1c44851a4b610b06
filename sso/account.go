package sso

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"usher/licensing"
	"usher/store"
)

// maxShown is how many sessions a person is shown.
const maxShown = 50

// shownSession is one of the sessions on a person's page.
type shownSession struct {
	ID, By, Agent, Address string
	Since, Seen            time.Time
	Current                bool
}

// mine is what a person's page shows.
type mine struct {
	Name, UserName, License string
	May                     []string
	Ends                    time.Time
	Sessions                []shownSession
	More                    bool // sessions than are shown
}

// me shows a person who they are here and where else they are signed in; somebody who is not, why not.
func (x *exchange) me() error {
	p, err := x.Who(x.r)
	if err != nil {
		return x.absent(err)
	}
	x.company, x.person = p.Company, p.Account.ID
	// A proxy has sent them here because of what they lack.
	query := x.r.URL.Query()
	if wanted := query.Get("company"); wanted != "" && !strings.EqualFold(wanted, p.Company.Name) {
		return x.lacks(licensing.OtherCompany, Path+"/"+url.PathEscape(strings.ToLower(wanted)))
	}
	for _, wanted := range query["entitlement"] {
		if !p.Verdict.Entitlements.Includes(wanted) {
			return x.lacks(licensing.EntitlementMissing, "")
		}
	}
	sessions, more, err := x.sessionsOf(p)
	if err != nil {
		return err
	}
	m := mine{
		Name: p.Account.Display, UserName: p.Account.UserName, License: p.Verdict.Effective.Name(), May: p.Verdict.Entitlements.Phrases(),
		Ends: licensing.SessionEnds(p.Company, p.Session), More: more,
	}
	for _, s := range sessions {
		m.Sessions = append(m.Sessions, shownSession{
			ID: s.ID, By: Presence{Session: s}.by(), Agent: agentName(s.Agent), Address: s.Address, Since: s.Created, Seen: s.Seen, Current: s.ID == p.Session.ID,
		})
	}
	// The button to sign out leads on to the identity provider, and from there to wherever that leads, which a browser allows only where the
	// page says so.
	x.formAction = " https:"
	if end := x.endSessionEndpoint(p); strings.HasPrefix(end, "http:") {
		x.formAction += " " + originOf(end)
	}
	x.render(page{Kind: "me", Title: "You are signed in to " + p.Company.Display + ".", Data: m})
	return nil
}

// sessionsOf gives the sessions of a person that are still good, as many as are shown, and says whether there are more.
func (x *exchange) sessionsOf(p Presence) (good []store.Session, more bool, err error) {
	const page = 200
	for after := ""; ; {
		sessions, err := x.Store.ListSessions(x.ctx, p.Company.ID, p.Account.ID, after, page)
		if err != nil {
			return nil, false, fmt.Errorf("sessions: %w", err)
		}
		for _, s := range sessions {
			if _, reason := licensing.Holds(p.Company, &p.Account, p.connectionFor(s), s, x.now); reason != "" {
				continue
			}
			if len(good) == maxShown {
				return good, true, nil
			}
			good = append(good, s)
		}
		if len(sessions) < page {
			return good, false, nil
		}
		after = sessions[page-1].ID
	}
}

// connectionFor gives the connection of a session of the same person, as far as it is the one of the session that asks.
func (p Presence) connectionFor(s store.Session) *store.Connection {
	if s.Connection == p.Session.Connection {
		return p.Connection
	}
	return &store.Connection{Epoch: s.ConnectionEpoch, SignOn: store.SignOn{State: store.SignOnActive}}
}

// lacks tells a person what they lack for an application. Nothing was tried, so nothing is noted.
func (x *exchange) lacks(r licensing.Reason, again string) error {
	x.code, x.status = string(r), http.StatusForbidden
	x.render(page{Title: r.Told(), Lead: r.Advice(), Again: again})
	return nil
}

// absent tells somebody why they are not signed in.
func (x *exchange) absent(err error) error {
	var absence *Absence
	if !errors.As(err, &absence) {
		return err
	}
	x.company, x.status = absence.Company, http.StatusUnauthorized
	p := page{Kind: "absent", Title: absence.Reason.Told(), Lead: absence.Reason.Advice(), Again: x.startPath()}
	if absence.Reason == licensing.NotSignedIn {
		p.Lead = ""
	}
	x.render(p)
	return nil
}

// endOther ends one of a person's sessions, or all.
func (x *exchange) endOther() error {
	p, err := x.Who(x.r)
	if err != nil {
		return x.absent(err)
	}
	x.company, x.person = p.Company, p.Account.ID
	if err := x.r.ParseForm(); err != nil {
		return fmt.Errorf("form: %w", err)
	}
	id := x.r.PostForm.Get("session")
	if id == "" {
		c := licensing.Change{
			Company: p.Company.ID, Actor: store.Actor{Kind: "person", ID: p.Account.ID}, Door: licensing.DoorSignIn, Request: x.ref,
			Do: licensing.EndSessions{ID: p.Account.ID},
		}
		if _, err := x.Directory.Apply(x.ctx, c); err != nil {
			return err
		}
		x.setCookie(sessionCookie, "", http.SameSiteLaxMode, 0)
		return x.redirect(Path + "/signed-out")
	}
	s := store.Session{ID: id, Account: p.Account.ID}
	which := store.SessionFilter{ID: id, Account: p.Account.ID}
	if _, err := x.Store.EndSessions(x.ctx, p.Company.ID, which, x.events(licensing.ActionEndSession, s, "ended by the person")); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return x.redirect(Path + "/me")
}
