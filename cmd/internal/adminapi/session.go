package adminapi

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"usher/licensing"
	"usher/store"
	"usher/store/query"
)

const (
	// sessionPrefix lets people and secret scanners recognise a token that has leaked.
	sessionPrefix = "usher_session_"
	// How long a session lasts: without being used, and in all.
	idleLimit    = 30 * time.Minute
	sessionLimit = 12 * time.Hour
	maxCompany   = 63   // bytes of a company's short name
	maxLogin     = 1024 // and of a login
	// seenEvery is how often it is written that a session is used.
	seenEvery = time.Minute
)

// How often somebody may try to sign in: for one login from one address, for one login wherever the tries come from, and from one address
// whoever is tried. So nobody can keep an admin out from one address, and no crowd of addresses can guess for long.
const (
	triesOfLogin   = 5 // at once, and then
	loginEvery     = time.Minute
	triesOfAll     = 50
	allEvery       = 10 * time.Second
	triesOfAddress = 60
	addressEvery   = time.Second
)

// Kinds of those who sign in.
const (
	kindAdmin  = "admin"  // a local admin
	kindPerson = "person" // an account with a role in the company
)

// Actions of the events of sessions.
const (
	ActionSignIn  = "admin.sign-in"
	ActionSignOut = "admin.sign-out"
)

// NewSession asks to be let in.
type NewSession struct {
	Company     string `json:"company"`
	Login       string `json:"login"` // of a local admin, or the user name of a person with a role
	Password    string `json:"password"`
	Code        string `json:"code,omitempty"`         // one-time password, of an admin who has set that up
	NewPassword string `json:"new_password,omitempty"` // instead of one that somebody else has chosen
}

// Session is the time in which an admin may use this API.
type Session struct {
	ID      string    `json:"id"`
	Kind    string    `json:"kind"`  // "admin": a local admin; "person": somebody with a role in the company
	Admin   string    `json:"admin"` // login or user name; empty when they are gone, and the session is worth nothing
	Role    string    `json:"role"`
	Created time.Time `json:"created"`
	Seen    time.Time `json:"seen"`    // when it was last used
	Expires time.Time `json:"expires"` // at the latest; earlier when it is not used
}

// CreatedSession is a new session with its token, which is shown only here.
type CreatedSession struct {
	Session
	Secret string `json:"token"`
}

// claimant is who wants to be let in, or has been.
type claimant struct {
	kind, id, login, role string
	password              string // hash
	epoch                 int64  // of a person
	local                 *store.LocalAdmin
	person                *store.Account
}

// credential is what a session was opened with: another password, or an end of the person's sessions, makes it another.
func (c claimant) credential() [32]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", c.password, c.epoch))
}

// errUnknown is the answer to every try that fails, whatever is wrong with it.
func errUnknown() *Problem {
	p := problem(http.StatusUnauthorized, "The company, the login, the password or the one-time password is not right.")
	p.Code = "not_signed_in"
	return p
}

// signIn opens a session.
func (h *Handler) signIn(ctx context.Context, c call) (any, error) {
	var in NewSession
	if err := c.read(&in); err != nil {
		return nil, err
	}
	login := query.Fold(in.Login)
	if len(in.Company) > maxCompany || len(login) > maxLogin { // there are none
		return nil, errUnknown()
	}
	if err := h.mayTry(c, strings.ToLower(in.Company), login); err != nil {
		return nil, err
	}
	company, who, err := h.claimant(ctx, strings.ToLower(in.Company), login)
	if err != nil {
		return nil, err
	}
	right, err := h.hasher.Verify(ctx, who.password, in.Password) // also where there is nobody, so that it takes as long
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	if !right || authorityOf(who.role) == nobody {
		return nil, errUnknown()
	}
	c.actor = store.Actor{Kind: who.kind, ID: who.login}
	if err := h.checkCode(ctx, c, company, who, in.Code); err != nil {
		return nil, err
	}
	if who.person != nil && who.person.MustChange {
		if who, err = h.changeOwn(ctx, c, company, who, in); err != nil {
			return nil, err
		}
	}
	var random [32]byte
	rand.Read(random[:])
	out := CreatedSession{Secret: sessionPrefix + base64.RawURLEncoding.EncodeToString(random[:])}
	s := store.AdminSession{
		Hash: sha256.Sum256([]byte(out.Secret)), ID: store.NewID(), Company: company.ID, Kind: who.kind, Admin: who.id,
		Credential: who.credential(), Created: c.now, Seen: c.now, Expires: c.now.Add(sessionLimit),
	}
	events, err := c.event(ActionSignIn, s.ID, map[string]string{"role": who.role})
	if err != nil {
		return nil, err
	}
	if err := h.store.CreateAdminSession(ctx, s, events); err != nil {
		return nil, fmt.Errorf("create session: %w", err)
	}
	out.Session = showSession(s, who)
	return out, nil
}

// network is what somebody is known by who tries: their address, of IPv6 the part that a household has to itself.
func network(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	const household = 64
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() && !ip.Is4In6() {
		if prefix, err := ip.Prefix(household); err == nil {
			return prefix.String()
		}
	}
	return host
}

// mayTry refuses who tries too often.
func (h *Handler) mayTry(c call, company, login string) error {
	address := network(c.RemoteAddr)
	delay := h.tries.Wait("address\x00"+address, addressEvery, triesOfAddress, c.now)
	if delay == 0 {
		delay = h.tries.Wait("login\x00"+company+"\x00"+login+"\x00"+address, loginEvery, triesOfLogin, c.now)
	}
	if delay == 0 {
		delay = h.tries.Wait("all\x00"+company+"\x00"+login, allEvery, triesOfAll, c.now)
	}
	if delay == 0 {
		return nil
	}
	p := problem(http.StatusTooManyRequests, "Too many have tried to sign in; try again in %d seconds.", int(math.Ceil(delay.Seconds())))
	p.RetryAfter = int(math.Ceil(delay.Seconds()))
	return p
}

// claimant finds who has a login; the zero one where there is nobody.
func (h *Handler) claimant(ctx context.Context, company, login string) (store.Company, claimant, error) {
	found, err := h.store.CompanyByName(ctx, company)
	if errors.Is(err, store.ErrNotFound) {
		return found, claimant{}, nil
	}
	if err != nil {
		return found, claimant{}, fmt.Errorf("company %s: %w", company, err)
	}
	admins, err := h.store.ListLocalAdmins(ctx, found.ID)
	if err != nil {
		return found, claimant{}, fmt.Errorf("list local admins: %w", err)
	}
	if at := slices.IndexFunc(admins, func(a store.LocalAdmin) bool { return a.Login == login }); at >= 0 {
		return found, ofLocal(admins[at]), nil
	}
	a, err := h.store.AccountByUserName(ctx, found.ID, login)
	if errors.Is(err, store.ErrNotFound) {
		return found, claimant{}, nil
	}
	if err != nil {
		return found, claimant{}, fmt.Errorf("account by user name: %w", err)
	}
	return found, ofPerson(a), nil
}

func ofLocal(a store.LocalAdmin) claimant {
	return claimant{kind: kindAdmin, id: a.ID, login: a.Login, role: a.Role, password: a.Password, local: &a}
}

// ofPerson is the claimant of an account: nobody unless it is in use.
func ofPerson(a store.Account) claimant {
	if !a.Active || a.Activation != store.ActivationActive {
		return claimant{}
	}
	return claimant{kind: kindPerson, id: a.ID, login: a.UserName, role: a.Role, password: a.Password, epoch: a.Epoch, person: &a}
}

// changeOwn has a person change the password that somebody else has chosen, and gives the person after that.
func (h *Handler) changeOwn(ctx context.Context, c call, company store.Company, who claimant, in NewSession) (claimant, error) {
	if in.NewPassword == "" || in.NewPassword == in.Password {
		p := problem(http.StatusForbidden, "Somebody else has chosen your password: choose your own, and send it as new_password.")
		p.Code = "password_change_required"
		return who, p
	}
	if err := checkPassword(in.NewPassword); err != nil {
		return who, err
	}
	hash, err := h.hasher.Hash(ctx, in.NewPassword)
	if err != nil {
		return who, fmt.Errorf("hash: %w", err)
	}
	r, err := h.apply(ctx, c, company.ID, licensing.SetPassword{ID: who.id, Own: true, Password: hash, Replaces: who.password})
	if errors.Is(err, store.ErrVersion) { // somebody else has changed it meanwhile
		return who, errUnknown()
	}
	return ofPerson(r.Account), err
}

// bySession tells by the token of a session who makes a request.
func (h *Handler) bySession(ctx context.Context, hash [32]byte) (caller, error) {
	over := problem(http.StatusUnauthorized, "The session is over: sign in again.")
	s, err := h.store.AdminSession(ctx, hash)
	if errors.Is(err, store.ErrNotFound) {
		return caller{}, over
	}
	if err != nil {
		return caller{}, fmt.Errorf("session: %w", err)
	}
	now := h.clock().UTC()
	if !now.Before(s.Expires) || now.Sub(s.Seen) >= idleLimit {
		return caller{}, over
	}
	who, err := h.holder(ctx, s)
	if err != nil {
		return caller{}, err
	}
	if authorityOf(who.role) == nobody || who.credential() != s.Credential {
		return caller{}, over
	}
	if now.Sub(s.Seen) >= seenEvery {
		if err := h.store.TouchAdminSession(ctx, hash, now.Truncate(time.Millisecond)); err != nil && !errors.Is(err, store.ErrNotFound) {
			return caller{}, fmt.Errorf("session: %w", err)
		}
	}
	return caller{actor: store.Actor{Kind: who.kind, ID: who.login}, authority: authorityOf(who.role), company: s.Company, session: &s}, nil
}

// holder gives who a session is of; the zero claimant where they are gone.
func (h *Handler) holder(ctx context.Context, s store.AdminSession) (claimant, error) {
	if s.Kind == kindPerson {
		a, err := h.store.Account(ctx, s.Company, s.Admin)
		if errors.Is(err, store.ErrNotFound) {
			return claimant{}, nil
		}
		if err != nil {
			return claimant{}, fmt.Errorf("account %s: %w", s.Admin, err)
		}
		return ofPerson(a), nil
	}
	admins, err := h.store.ListLocalAdmins(ctx, s.Company)
	if err != nil {
		return claimant{}, fmt.Errorf("list local admins: %w", err)
	}
	at := slices.IndexFunc(admins, func(a store.LocalAdmin) bool { return a.ID == s.Admin })
	if at < 0 {
		return claimant{}, nil
	}
	return ofLocal(admins[at]), nil
}

func showSession(s store.AdminSession, who claimant) Session {
	return Session{ID: s.ID, Kind: s.Kind, Admin: who.login, Role: who.role, Created: s.Created, Seen: s.Seen, Expires: s.Expires}
}

// noSession is the answer to those who have come without one.
func noSession() error {
	return problem(http.StatusNotFound, "There is no session: the request was made with a key, or over the server's socket.")
}

func (h *Handler) currentSession(ctx context.Context, c call) (any, error) {
	if c.session == nil {
		return nil, noSession()
	}
	who, err := h.holder(ctx, *c.session)
	return showSession(*c.session, who), err
}

func (h *Handler) signOut(ctx context.Context, c call) (any, error) {
	if c.session == nil {
		return nil, noSession()
	}
	events, err := c.event(ActionSignOut, c.session.ID, nil)
	if err != nil {
		return nil, err
	}
	return nil, h.store.DeleteAdminSession(ctx, c.company, c.session.ID, events)
}

func (h *Handler) listSessions(ctx context.Context, c call, company store.Company) (any, error) {
	sessions, err := h.store.ListAdminSessions(ctx, company.ID)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	shown := list[Session]{Items: []Session{}}
	for _, s := range sessions {
		if !c.now.Before(s.Expires) || c.now.Sub(s.Seen) >= idleLimit {
			continue
		}
		who, err := h.holder(ctx, s)
		if err != nil {
			return nil, err
		}
		shown.Items = append(shown.Items, showSession(s, who))
	}
	return shown, nil
}

func (h *Handler) endSession(ctx context.Context, c call, company store.Company) (any, error) {
	id := c.PathValue("id")
	events, err := c.event(ActionSignOut, id, nil)
	if err != nil {
		return nil, err
	}
	err = h.store.DeleteAdminSession(ctx, company.ID, id, events)
	if errors.Is(err, store.ErrNotFound) {
		return nil, problem(http.StatusNotFound, "The company %q has no session %q.", company.Name, id)
	}
	return nil, err
}
