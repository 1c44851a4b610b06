package adminapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"usher/cmd/internal/credential"
	"usher/licensing"
	"usher/scim"
	"usher/scim/schema"
	"usher/sso"
	"usher/store"
	"usher/store/enginetest"
)

// desk is a handler over a store of its own, with a client.
type desk struct {
	*Client
	handler *Handler
	outside http.Handler // as others than the operator reach it
	store   *enginetest.Store
	changes int // calls of Config.Changed
	now     time.Time
	log     bytes.Buffer
	keys    ring
}

// ring is the keys of a desk's sealer.
type ring struct {
	sealer *credential.Sealer
	keys   [][credential.KeySize]byte
}

func (r *ring) AddKey() error {
	r.keys = append([][credential.KeySize]byte{{byte(len(r.keys) + 1)}}, r.keys...)
	r.sealer.SetKeys(r.keys...)
	return nil
}

func (r *ring) Rewrap(context.Context) error { return nil }

func (r *ring) ForgetKeys() error {
	r.keys = r.keys[:1]
	r.sealer.SetKeys(r.keys...)
	return nil
}

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func newDesk(t *testing.T) *desk {
	t.Helper()
	s := enginetest.Open(t, nil)
	d := &desk{store: s}
	log := slog.New(slog.NewTextHandler(&d.log, nil))
	d.now = now
	clock := func() time.Time { return d.now }
	registry, err := schema.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	directory := licensing.NewDirectory(s, clock, log)
	directory.Links = func(mail string) []byte {
		sum := sha256.Sum256([]byte(mail))
		return sum[:]
	}
	hasher, sealer := credential.NewHasher(2), credential.NewSealer([credential.KeySize]byte{1})
	d.keys = ring{sealer, [][credential.KeySize]byte{{1}}}
	signOn, err := sso.NewHandler(sso.Config{
		Store: s, Directory: directory, Sealer: sealer, Hasher: hasher, BaseURL: "http://usher.example", Network: sso.Network{Loopback: true}, Logger: log, Clock: clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	d.handler = NewHandler(Config{
		Hasher: hasher, Sealer: sealer, SignOn: signOn, Serves: true, Keys: &d.keys,
		Registry: registry, Store: s, Directory: directory, Changed: func() { d.changes++ }, Logger: log, Clock: clock,
	})
	d.Client = InProcess(contract{t, d.handler, d.handler}, "olga")
	d.outside = contract{t, d.handler, d.handler.Public()}
	return d
}

// acme makes the company acme with a local super-admin.
func (d *desk) acme(t *testing.T) CreatedCompany {
	t.Helper()
	made, err := d.CreateCompany(t.Context(), NewCompany{
		Name: "ACME", Tier: "video-pro-plus", Seats: map[string]int{"Video Pro+": 5, "ringex": 2}, Domains: []string{"Acme.Example.", "acme.example"}, Admin: "Root",
	})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func (d *desk) events(t *testing.T, company string) []store.Event {
	t.Helper()
	events, err := d.store.ListEvents(t.Context(), company, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func TestCompany(t *testing.T) {
	d := newDesk(t)
	made := d.acme(t)
	want := Company{
		Name: "acme", Display: "acme", Tier: "video-pro-plus", SeatPolicy: "waiting", GuestPolicy: "webmail", RoleCeiling: "standard", Approval: "scope", Invites: "nobody", HoldDays: 7, Payment: "ok", LossMin: 20, LossPercent: 10, LocalSignIn: "everyone", SessionIdle: 30, SessionMax: 720,
		Domains: []string{"acme.example"},
	}
	ignore := cmpopts.IgnoreFields(Company{}, "ID", "Created")
	if diff := cmp.Diff(want, made.Company, ignore); diff != "" {
		t.Errorf("created (-want +got)\n%s", diff)
	}
	all, err := d.Companies(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Company{made.Company}, all); diff != "" {
		t.Errorf("listed (-created +listed)\n%s", diff)
	}
	licenses, err := d.Licenses(t.Context(), "Acme")
	if err != nil {
		t.Fatal(err)
	}
	totals := map[string]int{}
	for _, l := range licenses {
		totals[l.License] = l.Total
	}
	if diff := cmp.Diff(map[string]int{"ringex": 2, "video-pro-plus": 5}, totals); diff != "" {
		t.Errorf("seats (-want +got)\n%s", diff)
	}
	admins, err := d.store.ListLocalAdmins(t.Context(), made.ID)
	if err != nil || len(admins) != 1 {
		t.Fatalf("%d local admins, %v", len(admins), err)
	}
	if a := admins[0]; a.Login != "root" || a.Role != licensing.RoleSuperAdmin || !verifies(t, a.Password, made.AdminPassword) {
		t.Errorf("the local admin is %+v", a)
	}
}

func TestCompany_change(t *testing.T) {
	d := newDesk(t)
	free, plus, strict, days := "free", "video-pro-plus", "strict", 3
	if _, err := d.CreateCompany(t.Context(), NewCompany{Name: "acme", Tier: plus, Seats: map[string]int{plus: 5}, Admin: "root"}); err != nil {
		t.Fatal(err)
	}
	until := time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
	after, err := d.ChangeCompany(t.Context(), "acme", CompanyChange{SeatPolicy: &strict, HoldDays: &days, Payment: "past-due", PaymentAt: until})
	if err != nil {
		t.Fatal(err)
	}
	if after.Tier != plus || after.SeatPolicy != strict || after.HoldDays != 3 || after.Payment != "past-due" || !after.PaymentAt.Equal(until) {
		t.Errorf("after the change: %+v", after)
	}
	if after, err = d.ChangeCompany(t.Context(), "acme", CompanyChange{Payment: "ok"}); err != nil || !after.PaymentAt.IsZero() {
		t.Errorf("paid: %+v, %v", after, err)
	}
	// Nobody would lose anything, so there is nothing to confirm.
	if after, err = d.ChangeCompany(t.Context(), "acme", CompanyChange{Tier: &free}); err != nil || after.Tier != free {
		t.Errorf("downgraded: %+v, %v", after, err)
	}
}

// verifies checks a password against its hash in PHC form, with the parameters that the hash names.
func verifies(t *testing.T, phc, password string) bool {
	t.Helper()
	right, err := credential.NewHasher(1).Verify(t.Context(), phc, password)
	if err != nil {
		t.Fatal(err)
	}
	return right
}

func TestToken(t *testing.T) {
	d := newDesk(t)
	company := d.acme(t)
	made, err := d.CreateToken(t.Context(), "acme", NewToken{Connection: "okta", AssignLicenses: true, Expires: now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	want := Token{Connection: "okta", Scopes: []string{ScopeAssignLicenses}, Created: now, Expires: now.Add(time.Hour)}
	if diff := cmp.Diff(want, made.Token, cmpopts.IgnoreFields(Token{}, "ID")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	random, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(made.Secret, "usher_"))
	if err != nil || len(random) != 32 {
		t.Errorf("the token %q does not hold 32 bytes: %v", made.Secret, err)
	}
	kept, err := d.store.Token(t.Context(), sha256.Sum256([]byte(made.Secret)))
	if err != nil {
		t.Fatal(err)
	}
	if kept.GrantedBy != "olga" || kept.Company != company.ID || !kept.Expires.Equal(now.Add(time.Hour)) {
		t.Errorf("the store has %+v", kept)
	}
	connection, err := d.store.Connection(t.Context(), kept.Connection)
	if err != nil || connection.Mode != store.ModeLive || connection.Name != "okta" {
		t.Errorf("connection %+v, %v", connection, err)
	}

	// A second token is of the same connection.
	second, err := d.CreateToken(t.Context(), "acme", NewToken{Connection: "okta"})
	if err != nil {
		t.Fatal(err)
	}
	if connections, err := d.store.ListConnections(t.Context(), company.ID); err != nil || len(connections) != 1 {
		t.Errorf("%d connections, %v", len(connections), err)
	}
	listed, err := d.Tokens(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Token{made.Token, second.Token}, listed); diff != "" {
		t.Errorf("listed (-created +listed)\n%s", diff)
	}

	before := d.changes
	if err := d.RevokeToken(t.Context(), "acme", made.ID); err != nil {
		t.Fatal(err)
	}
	if d.changes != before+1 {
		t.Error("the revocation was not told")
	}
	if _, err := d.store.Token(t.Context(), sha256.Sum256([]byte(made.Secret))); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the revoked token: %v", err)
	}
	var actions []string
	for _, e := range d.events(t, company.ID) {
		actions = append(actions, e.Action)
		if e.Actor != (store.Actor{Kind: "operator", ID: "olga"}) || e.Door != licensing.DoorAdmin || e.Request == "" || !e.Time.Equal(now) {
			t.Errorf("event %+v", e)
		}
		if strings.Contains(string(e.Detail), made.Secret) || strings.Contains(string(e.Detail), company.AdminPassword) {
			t.Errorf("event %s tells a secret", e.Action)
		}
	}
	wantActions := []string{licensing.ActionCreateCompany, ActionCreateConnection, ActionCreateToken, ActionCreateToken, ActionRevokeToken}
	if diff := cmp.Diff(wantActions, actions); diff != "" {
		t.Errorf("events (-want +got)\n%s", diff)
	}
}

// Tokens for a new connection that are asked for at the same moment are of one connection.
func TestToken_Storm(t *testing.T) {
	d := newDesk(t)
	d.handler.changed = func() {}
	company := d.acme(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := d.CreateToken(t.Context(), "acme", NewToken{Connection: "okta"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if connections, err := d.store.ListConnections(t.Context(), company.ID); err != nil || len(connections) != 1 {
		t.Errorf("%d connections, %v", len(connections), err)
	}
}

func TestConnection(t *testing.T) {
	d := newDesk(t)
	company := d.acme(t)
	for _, name := range []string{"okta", "us/entra 50%"} {
		if _, err := d.CreateToken(t.Context(), "acme", NewToken{Connection: name}); err != nil {
			t.Fatal(err)
		}
	}
	connections, err := d.Connections(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	okta := Connection{Name: "okta", Mode: store.ModeLive, Losses: "watched", QuirksOff: []string{}, Created: now}
	entra := okta
	entra.Name = "us/entra 50%"
	ignore := cmpopts.IgnoreFields(Connection{}, "ID")
	if diff := cmp.Diff([]Connection{okta, entra}, connections, ignore); diff != "" {
		t.Fatalf("listed (-want +got)\n%s", diff)
	}

	before, changes := len(d.events(t, company.ID)), d.changes
	steps := []struct {
		change ConnectionChange
		mode   string
		off    []string
		same   bool // nothing is to be written
	}{
		{ConnectionChange{}, store.ModeLive, []string{}, true},
		{ConnectionChange{Mode: store.ModeLive, QuirksOn: []string{"dotted-keys"}}, store.ModeLive, []string{}, true},
		{ConnectionChange{QuirksOff: []string{"patch-op-case", "dotted-keys", "dotted-keys"}}, store.ModeLive, []string{"dotted-keys", "patch-op-case"}, false},
		{ConnectionChange{QuirksOff: []string{"dotted-keys"}}, store.ModeLive, []string{"dotted-keys", "patch-op-case"}, true},
		{ConnectionChange{Mode: store.ModePaused, QuirksOn: []string{"dotted-keys"}}, store.ModePaused, []string{"patch-op-case"}, false},
		{ConnectionChange{Mode: store.ModeLive, QuirksOn: []string{"patch-op-case"}}, store.ModeLive, []string{}, false},
	}
	for _, named := range []string{"us/entra 50%", connections[0].ID} {
		for i, step := range steps {
			after, err := d.ChangeConnection(t.Context(), "acme", named, step.change)
			if err != nil {
				t.Fatalf("%s, step %d: %v", named, i, err)
			}
			if after.Mode != step.mode || !slices.Equal(after.QuirksOff, step.off) {
				t.Errorf("%s, step %d: %+v", named, i, after)
			}
			kept, err := d.store.Connection(t.Context(), after.ID)
			if err != nil || kept.Mode != step.mode || !slices.Equal(kept.QuirksOff, step.off) {
				t.Errorf("%s, step %d: the store has %+v, %v", named, i, kept, err)
			}
			if !step.same {
				before, changes = before+1, changes+1
			}
			if events := d.events(t, company.ID); len(events) != before || d.changes != changes {
				t.Errorf("%s, step %d: %d events and %d changes told, want %d and %d", named, i, len(events), d.changes, before, changes)
			}
		}
	}
	last := d.events(t, company.ID)[before-1]
	if last.Kind != store.EventConnection || last.Action != ActionUpdateConnection || last.Target != connections[0].ID || last.Actor.ID != "olga" {
		t.Errorf("event %+v", last)
	}
	if want := `{"from":{"mode":"paused","quirks_off":["patch-op-case"]},"to":{"mode":"live","quirks_off":[]}}`; string(last.Detail) != want {
		t.Errorf("it tells %s, want %s", last.Detail, want)
	}
}

// Changes of one connection at the same moment are all made.
func TestConnection_Storm(t *testing.T) {
	d := newDesk(t)
	d.handler.changed = func() {}
	d.acme(t)
	if _, err := d.CreateToken(t.Context(), "acme", NewToken{Connection: "okta"}); err != nil {
		t.Fatal(err)
	}
	names := scim.QuirkNames()
	var wg sync.WaitGroup
	for _, name := range names {
		wg.Go(func() {
			if _, err := d.ChangeConnection(t.Context(), "acme", "okta", ConnectionChange{QuirksOff: []string{name}}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	connections, err := d.Connections(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	if diff := cmp.Diff(names, connections[0].QuirksOff); diff != "" {
		t.Errorf("off (-want +got)\n%s", diff)
	}
}

func TestRule(t *testing.T) {
	d := newDesk(t)
	company := d.acme(t)
	group, err := d.store.CreateGroup(t.Context(), store.Group{
		ID: store.NewID(), Company: company.ID, Name: "video pro+ users", Display: "Video Pro+ users", Created: now, Modified: now,
		Doc: []byte(`{"displayName":"Video Pro+ users"}`),
	}, nil, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	byName, err := d.AddRule(t.Context(), "acme", NewRule{Group: "VIDEO pro+ users", License: "VideoProPlus", Priority: 5})
	if err != nil {
		t.Fatal(err)
	}
	byID, err := d.AddRule(t.Context(), "acme", NewRule{Group: group.ID, License: "ringex"})
	if err != nil {
		t.Fatal(err)
	}
	want := Rule{ID: byName.ID, About: `members of "Video Pro+ users"`, Group: "Video Pro+ users", GroupID: group.ID, License: "video-pro-plus", Name: "Video Pro+", Priority: 5, By: "olga", Created: now}
	if diff := cmp.Diff(want, byName); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	rules, err := d.Rules(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Rule{byName, byID}, rules); diff != "" {
		t.Errorf("listed (-added +listed)\n%s", diff)
	}
	if err := d.RemoveRule(t.Context(), "acme", byName.ID); err != nil {
		t.Fatal(err)
	}
	if rules, err := d.Rules(t.Context(), "acme"); err != nil || len(rules) != 1 {
		t.Errorf("%d rules, %v", len(rules), err)
	}
}

func TestRule_onValue(t *testing.T) {
	d := newDesk(t)
	company := d.acme(t)
	ada := d.provision(t, company.ID, "ada@acme.example").ID
	d.provision(t, company.ID, "bob@partner.example")
	told, err := d.ForecastRule(t.Context(), "acme", NewRule{Domain: "Acme.Example", License: "ringex"})
	if err != nil || told.People != 1 || told.Gain != 1 || len(told.Shifts) != 1 || told.Shifts[0].Account != ada {
		t.Errorf("forecast: %+v, %v", told, err)
	}
	made, err := d.AddRule(t.Context(), "acme", NewRule{Domain: "Acme.Example", License: "ringex"})
	want := Rule{ID: made.ID, About: "an address in acme.example", License: "ringex", Name: "RingEX", People: 1, InEffect: 1, By: "olga", Created: now}
	if diff := cmp.Diff(want, made); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	user, err := d.AddRule(t.Context(), "acme", NewRule{Attribute: "userName", Value: "BOB@partner.example", License: "video-pro-plus"})
	if err != nil || user.About != `userName "BOB@partner.example"` || user.InEffect != 1 {
		t.Errorf("%+v, %v", user, err)
	}
	told, err = d.ForecastRemoval(t.Context(), "acme", made.ID)
	if err != nil || told.People != 1 || told.Lose != 1 {
		t.Errorf("forecast of the removal: %+v, %v", told, err)
	}
	for _, in := range []NewRule{
		{License: "ringex"}, {Group: "g", Domain: "acme.example", License: "ringex"}, {Domain: "no domain", License: "ringex"},
		{Attribute: "shoeSize", Value: "43", License: "ringex"}, {Attribute: "active", Value: "true", License: "ringex"},
		{Attribute: "password", Value: "x", License: "ringex"}, {Attribute: "memberType", Value: "guest", License: "ringex"},
		{Attribute: "department", License: "ringex"}, {Attribute: "title", Value: "x", License: "video-pro-plus-plus"},
	} {
		_, err := d.AddRule(t.Context(), "acme", in)
		wantProblem(t, in.Attribute+in.Domain, err, http.StatusBadRequest)
		_, err = d.ForecastRule(t.Context(), "acme", in)
		wantProblem(t, in.Attribute+in.Domain, err, http.StatusBadRequest)
	}
	_, err = d.AddRule(t.Context(), "acme", NewRule{Attribute: "title", Value: "x", License: "Video Pro"})
	wantProblem(t, "a rule for what everyone has", err, http.StatusBadRequest)
	_, err = d.ForecastRemoval(t.Context(), "acme", "none")
	wantProblem(t, "no rule", err, http.StatusNotFound)
}

func TestRefused(t *testing.T) {
	d := newDesk(t)
	d.acme(t)
	if _, err := d.CreateCompany(t.Context(), NewCompany{Name: "bare"}); err != nil {
		t.Fatal(err)
	}
	company := func(c NewCompany) func() error {
		return func() error { _, err := d.CreateCompany(t.Context(), c); return err }
	}
	token := func(company string, in NewToken) func() error {
		return func() error { _, err := d.CreateToken(t.Context(), company, in); return err }
	}
	rule := func(in NewRule) func() error {
		return func() error { _, err := d.AddRule(t.Context(), "acme", in); return err }
	}
	connection := func(named string, in ConnectionChange) func() error {
		return func() error { _, err := d.ChangeConnection(t.Context(), "acme", named, in); return err }
	}
	bare, err := d.store.CompanyByName(t.Context(), "bare")
	if err != nil {
		t.Fatal(err)
	}
	foreign := store.Connection{ID: store.NewID(), Company: bare.ID, Name: "paused", Mode: store.ModePaused}
	if err := d.store.CreateConnection(t.Context(), foreign, nil); err != nil {
		t.Fatal(err)
	}
	seats := func(license string, total int) func() error {
		return func() error { _, err := d.SetSeats(t.Context(), "acme", license, total, true); return err }
	}
	tests := []struct {
		name   string
		do     func() error
		status int
		part   string // of the sentence
	}{
		{"no name", company(NewCompany{}), 400, "short name"},
		{"name with a space", company(NewCompany{Name: "a b"}), 400, `"a b"`},
		{"name ending in a dash", company(NewCompany{Name: "a-"}), 400, "short name"},
		{"name in use", company(NewCompany{Name: "Acme"}), 409, `"acme"`},
		{"domain in use", company(NewCompany{Name: "globex", Domains: []string{"ACME.example"}}), 409, `"acme.example"`},
		{"not a domain", company(NewCompany{Name: "globex", Domains: []string{"me@acme.example"}}), 400, "me@acme.example"},
		{"unknown license", company(NewCompany{Name: "globex", Seats: map[string]int{"gold": 1}}), 400, "ringex"},
		{"base license", company(NewCompany{Name: "globex", Seats: map[string]int{"video-pro": 1}}), 400, "no seats"},
		{"negative seats", company(NewCompany{Name: "globex", Seats: map[string]int{"ringex": -1}}), 400, "-1"},
		{"unknown tier", company(NewCompany{Name: "globex", Tier: "gold"}), 400, "tier"},
		{"unknown company", token("globex", NewToken{Connection: "okta"}), 404, `"globex"`},
		{"no local super-admin", token("bare", NewToken{Connection: "okta"}), 409, "super-admin"},
		{"no connection name", token("acme", NewToken{}), 400, "connection"},
		{"connection name with a line break", token("acme", NewToken{Connection: "a\nb"}), 400, "connection"},
		{"expired before made", token("acme", NewToken{Connection: "okta", Expires: now}), 400, "expired"},
		{"unknown token", func() error { return d.RevokeToken(t.Context(), "acme", "1") }, 404, `"1"`},
		{"unknown connection", connection("okta", ConnectionChange{Mode: "paused"}), 404, `"okta"`},
		{"connection of another company", connection(foreign.ID, ConnectionChange{Mode: "live"}), 404, foreign.ID},
		{"unknown mode", connection("okta", ConnectionChange{Mode: "closed"}), 400, `"closed"`},
		{"unknown quirk off", connection("okta", ConnectionChange{QuirksOff: []string{"tea-time"}}), 400, `"tea-time"`},
		{"unknown quirk on", connection("okta", ConnectionChange{QuirksOn: []string{"tea-time"}}), 400, "usher connection quirks"},
		{"quirk off and on", connection("okta", ConnectionChange{QuirksOff: []string{"dotted-keys"}, QuirksOn: []string{"dotted-keys"}}), 400, "at once"},
		{"live without a local super-admin", func() error {
			_, err := d.ChangeConnection(t.Context(), "bare", "paused", ConnectionChange{Mode: "live"})
			return err
		}, 409, "super-admin"},
		{"unknown group", rule(NewRule{Group: "Sales", License: "ringex"}), 404, `"Sales"`},
		{"rule with an unknown license", rule(NewRule{Group: "Sales", License: "gold"}), 400, `"gold"`},
		{"unknown rule", func() error { return d.RemoveRule(t.Context(), "acme", "1") }, 404, `"1"`},
		{"seats of an unknown license", seats("gold", 1), 400, `"gold"`},
		{"too many seats", seats("ringex", maxSeats+1), 400, "100000001"},
		{"fewer than no seats", seats("ringex", -1), 400, "-1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var p *Problem
			if err := tt.do(); !errors.As(err, &p) {
				t.Fatalf("%v, want a problem", err)
			}
			if p.Status != tt.status || !strings.Contains(p.Detail, tt.part) {
				t.Errorf("%d %q, want %d and %q in it", p.Status, p.Detail, tt.status, tt.part)
			}
		})
	}
	if all, err := d.Companies(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("after the refusals there are %d companies, %v", len(all), err)
	}
}

// A refusal is a problem document; what went wrong inside is not shown.
func TestProblem(t *testing.T) {
	d := newDesk(t)
	ask := func(method, path, body string) (*httptest.ResponseRecorder, Problem) {
		t.Helper()
		w := httptest.NewRecorder()
		d.handler.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
		var p Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
		return w, p
	}
	w, p := ask(http.MethodPost, "/v1/companies", `{"name":"acme","nme":1}`)
	if w.Code != 400 || p.Status != 400 || w.Header().Get("Content-Type") != "application/problem+json" || !strings.Contains(p.Detail, "nme") {
		t.Errorf("unknown member: %d %+v", w.Code, p)
	}
	d.handler.store = broken{d.store}
	w, p = ask(http.MethodGet, "/v1/companies", "")
	if w.Code != 500 || !strings.Contains(p.Detail, "log") || strings.Contains(strings.ToLower(p.Detail), "sql") {
		t.Errorf("failure inside: %d %+v", w.Code, p)
	}
	if err := d.store.Close(); err != nil {
		t.Fatal(err)
	}
	d.handler.store = d.store
	if w, p = ask(http.MethodGet, "/v1/companies", ""); w.Code != 503 || w.Header().Get("Retry-After") != "1" {
		t.Errorf("closed: %d %s %+v", w.Code, w.Header(), p)
	}
}

// broken is a store that has lost the companies.
type broken struct{ *enginetest.Store }

func (broken) ListCompanies(context.Context) ([]store.Company, error) {
	return nil, errors.New("SQL logic error")
}

func TestDial_NoServer(t *testing.T) {
	if _, err := Dial(t.Context(), t.TempDir()+"/none.sock", "olga"); !errors.Is(err, ErrNoServer) {
		t.Errorf("%v, want ErrNoServer", err)
	}
}
