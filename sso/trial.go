package sso

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"time"

	"usher/licensing"
	"usher/store"
)

// trialFor is how long the address is good at which an admin tries a connection out.
const trialFor = 10 * time.Minute

const trialOwner = "sign-on trial"

// ticket lets whoever has it try a connection out.
type ticket struct {
	Company    string    `json:"company"`
	Connection string    `json:"connection"`
	SignOn     int64     `json:"signOn"`
	Until      time.Time `json:"until"`
}

// TrialURL is where an admin tries a connection out in a browser: a sign-in that shows the claims, who is matched and every check, and makes no
// session. It is good for ten minutes and for the settings as they are.
func (h *Handler) TrialURL(c store.Company, n store.Connection) (address string, until time.Time, err error) {
	until = h.Clock().UTC().Add(trialFor).Truncate(time.Second)
	b, err := json.Marshal(ticket{c.ID, n.ID, n.SignOn.Version, until})
	if err != nil {
		return "", until, err
	}
	query := url.Values{"ticket": {h.Sealer.Seal(string(b), trialOwner)}}
	return h.connectionURL(c, n) + "/test?" + query.Encode(), until, nil
}

// startTest begins a sign-in to try the connection out.
func (x *exchange) startTest() error {
	if err := x.mayBegin(); err != nil {
		return err
	}
	if err := x.findConnection(); err != nil {
		return err
	}
	var t ticket
	opened, err := x.Sealer.Open(x.r.URL.Query().Get("ticket"), trialOwner)
	if err == nil {
		err = json.Unmarshal([]byte(opened), &t)
	}
	switch {
	case err != nil, t.Company != x.company.ID, t.Connection != x.connection.ID:
		return deny(licensing.SSONotConfigured) // as if there were no such connection
	case !x.now.Before(t.Until):
		return deny(licensing.StateExpired)
	case t.SignOn != x.connection.SignOn.Version:
		return deny(licensing.ConnectionChanged)
	}
	return x.begin("", "", true)
}

// trial is what the page shows of a sign-in to try a connection out.
type trial struct {
	Checks []Check
	Claims []claim
	// What becomes of the person; empty where it did not come to that.
	Match, Account, License, Fix string
}

// claim is one claim of the ID token.
type claim struct{ Name, Value string }

// showTest shows what would have come of an answer, and lets nobody in.
func (x *exchange) showTest(answer url.Values, s store.SignIn) error {
	t := trial{Checks: []Check{
		{Asks: "Does the answer belong to a sign-in that was begun in this browser?", Found: "state, cookie and connection fit", Passed: true},
	}}
	p := page{Kind: "trial", Title: "The sign-in would not work yet."}
	who, _, err := x.prove(answer, s)
	const proves = "Does the identity provider prove who has signed in?"
	if err != nil {
		d := denialOf(err)
		if d.reason == "" {
			return err
		}
		t.Checks = append(t.Checks, Check{proves, d.detail, false, d.code()})
		t.Fix = d.reason.Fix()
		p.Data = t
		x.render(p)
		return nil
	}
	t.Checks = append(t.Checks, Check{Asks: proves, Found: "the ID token is genuine and belongs to this sign-in", Passed: true})
	for _, name := range slices.Sorted(maps.Keys(who.claims)) {
		t.Claims = append(t.Claims, claim{name, cut(fmt.Sprint(who.claims[name]))})
	}
	r, err := x.Directory.Rehearse(x.ctx, licensing.SignIn{
		Company: x.company.ID, Connection: x.connection.ID, SignOn: s.SignOn, Issuer: x.issuer, Subject: who.subject, Match: who.match,
	})
	if err != nil {
		return err
	}
	t.show(x.connection.SignOn.MatchClaim, who, r)
	if r.Account.ID != "" {
		p.Title = "The sign-in works, and would let this person in."
		if r.Reason != "" {
			p.Title = "The sign-in works, and would not let this person in."
		}
		if err := x.noteTested(); err != nil {
			return err
		}
	}
	p.Data = t
	x.render(p)
	return nil
}

// show says what becomes of the person.
func (t *trial) show(claim string, who identity, r licensing.Rehearsal) {
	t.Match = fmt.Sprintf("Looked for an account with externalId = %q, which is the claim %s.", cut(who.match), claim)
	found := Check{Asks: "Is there an account for them?", Found: r.Reason.Sentence(), Passed: r.Account.ID != ""}
	switch {
	case r.Account.ID == "":
		found.Code, t.Fix = string(r.Reason), r.Reason.Fix()
		t.Checks = append(t.Checks, found)
		return
	case r.Linked:
		found.Found = r.Account.UserName + ", who is linked already"
	default:
		found.Found = r.Account.UserName + ", who would be linked by externalId"
	}
	t.Account, t.License = r.Account.UserName, r.Verdict.Effective.Name()
	may := Check{Asks: "May they use single sign-on?", Found: t.License, Passed: r.Reason == "", Code: string(r.Reason)}
	if r.Reason != "" {
		may.Found, t.Fix = r.Reason.Sentence(), r.Reason.Help()
	}
	t.Checks = append(t.Checks, found, may)
}

// noteTested notes that a sign-in went well with the settings of a connection that was not tried out yet.
func (x *exchange) noteTested() error {
	if x.connection.SignOn.State != store.SignOnDraft {
		return nil
	}
	n := x.connection
	n.SignOn.State = store.SignOnTested
	_, err := x.Store.SetSignOn(x.ctx, n, []store.Event{licensing.TestedEvent(x.now, x.ref, n.ID)})
	if errors.Is(err, store.ErrVersion) { // somebody has changed them meanwhile
		return nil
	}
	return err
}
