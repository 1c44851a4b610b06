package sso_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"usher/licensing"
	"usher/sso"
	"usher/store"
)

func TestSession(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	if status, reason := b.session(); status != http.StatusUnauthorized || reason != "not_signed_in" {
		t.Errorf("nobody: %d %s", status, reason)
	}
	b.wantIn("alice", b.signIn(alice))
	a := b.get("/sso/session")
	var got map[string]any
	if err := json.Unmarshal([]byte(a.text), &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"user_name": "alice@acme.example", "display_name": "Alice", "company": "acme", "license": "video-pro-plus", "license_name": "Video Pro+",
		"signed_in_by": "sso", "connection": "okta", "member_type": "coworker", "role": "standard",
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", a.Header)
	}
	w.edit("alice", func(d *licensing.Draft) { d.Intents[0].Licenses = nil })
	if status, reason := b.session(); status != http.StatusUnauthorized || reason != "license_has_no_sso" {
		t.Errorf("without the license: %d %s", status, reason)
	}
	if a = b.get("/sso/me"); a.StatusCode != http.StatusUnauthorized || !strings.Contains(a.text, "does not include single sign-on") {
		t.Errorf("her page: %d %s", a.StatusCode, a.text)
	}
}

// TestSession_times: a session ends when it is not used, and in the end in any case.
func TestSession_times(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.wantIn("alice", b.signIn(alice))
	for range 20 { // used, it goes on
		w.pass(29 * time.Minute)
		if status, reason := b.session(); status != http.StatusOK {
			t.Fatalf("in use: %d %s", status, reason)
		}
	}
	w.pass(31 * time.Minute)
	if status, reason := b.session(); status != http.StatusUnauthorized || reason != "session_idle" {
		t.Errorf("idle: %d %s", status, reason)
	}
	b.wantIn("again", b.signIn(alice))
	for range 26 {
		w.pass(28 * time.Minute)
		b.session()
	}
	if status, reason := b.session(); status != http.StatusUnauthorized || reason != "session_expired" {
		t.Errorf("after twelve hours: %d %s", status, reason)
	}
	if err := w.handler.Maintain(t.Context()); err != nil || w.sessions() != 0 {
		t.Errorf("%v, %d sessions", err, w.sessions())
	}
}

// TestVerify: what lets people through to an application, and everything that must not.
func TestVerify(t *testing.T) {
	w := newWorld(t)
	w.addCompany("globex")
	w.edit("alice", func(d *licensing.Draft) { d.Display = "" })
	b := w.browser()
	if a := b.get("/sso/verify?company=acme"); a.StatusCode != http.StatusUnauthorized || a.Header.Get("Usher-Reason") != "not_signed_in" {
		t.Errorf("nobody: %d %v", a.StatusCode, a.Header)
	}
	b.wantIn("alice", b.signIn(alice))
	for query, want := range map[string]int{
		"company=acme": 200, "company=ACME": 200, "company=*": 200, "company=acme&entitlement=sso": 200, "company=acme&entitlement=sso&entitlement=video": 200,
		"company=acme&entitlement=phone": 200, "company=acme&entitlement=phone:full": 403, "company=acme&entitlement=fly": 403,
		"company=acme&entitlement=sso&entitlement=phone:full": 403, "company=globex": 403, "company=nobody": 403,
		"": 400, "company=": 400, "company=globex;x": 400, "company=globex%zz": 400, "Company=acme": 400, "company=acme&company=globex": 400,
		"company=acme&entitlement=phone;x": 400, "company=acme&entitlements=phone:full": 400, "entitlement=sso": 400,
	} {
		a := b.get("/sso/verify?" + query)
		if a.StatusCode != want {
			t.Errorf("%s: %d, want %d", query, a.StatusCode, want)
		}
		if user := a.Header.Get("Usher-User"); (user != "") != (want == 200) {
			t.Errorf("%s: Usher-User %q", query, user)
		}
	}
	a := b.get("/sso/verify?company=acme")
	for name, want := range map[string]string{
		"Usher-User": "alice@acme.example", "Usher-Name": "alice@acme.example", "Usher-License": "video-pro-plus", "Usher-Company": "acme",
		"Usher-Entitlements": "messaging,video,phone:limited,sso", "Usher-Role": "standard", "Usher-Signed-In-By": "sso",
	} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	w.edit("alice", func(d *licensing.Draft) { d.Display = "Älice 日本\r\nX: y%" })
	if got := b.get("/sso/verify?company=acme").Header.Get("Usher-Name"); got != "%C3%84lice%20%E6%97%A5%E6%9C%AC%0D%0AX:%20y%25" {
		t.Errorf("Usher-Name %q", got)
	}
	// The page that proxies send people to explains.
	if a := b.get("/sso/me?company=globex"); a.StatusCode != http.StatusForbidden || !strings.Contains(a.text, "another company") || !strings.Contains(a.text, `href="/sso/globex"`) {
		t.Errorf("another company: %d %s", a.StatusCode, a.text)
	}
	if a := b.get("/sso/me?company=acme&entitlement=phone:full"); a.StatusCode != http.StatusForbidden || !strings.Contains(a.text, "does not include this") {
		t.Errorf("another license: %d %s", a.StatusCode, a.text)
	}
}

// password gives bob, who has no single sign-on, a password.
func (w *world) password(own bool) {
	w.t.Helper()
	w.apply(w.company, licensing.SetPassword{ID: w.account("bob").ID, Password: "$correct horse", Own: own})
}

func bobs(more ...string) []string {
	return append([]string{"company", "acme", "user", "BOB@acme.example", "password", "correct horse"}, more...)
}

func TestPassword(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	wrong := b.post("/signin", form(bobs()...))
	w.password(true)
	for name, fields := range map[string][]string{
		"wrong password": {"company", "acme", "user", "bob@acme.example", "password", "wrong"},
		"no such person": {"company", "acme", "user", "nobody", "password", "correct horse"},
		"no password":    {"company", "acme", "user", "alice@acme.example", "password", ""},
		"long":           {"company", "acme", "user", strings.Repeat("x", 2000), "password", "x"},
		"no company":     {"company", "nobody", "user", "bob@acme.example", "password", "correct horse"},
	} {
		a := w.browser().post("/signin", form(fields...))
		if a.StatusCode != http.StatusUnauthorized || !strings.Contains(a.text, "is not right") || strings.Contains(a.text, "Acme") != strings.Contains(wrong.text, "Acme") {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.text)
		}
	}
	if a := b.post("/signin", form(bobs("return", "/app")...)); a.StatusCode != http.StatusSeeOther || a.location() != "/app" {
		t.Fatalf("bob: %d to %q %s", a.StatusCode, a.location(), a.text)
	}
	if a := b.get("/sso/session"); !strings.Contains(a.text, `"signed_in_by":"password"`) || !strings.Contains(a.text, `"license":"video-pro"`) {
		t.Errorf("session %s", a.text)
	}
	if a := b.get("/sso/verify?company=acme&entitlement=sso"); a.StatusCode != http.StatusForbidden {
		t.Errorf("verify: %d", a.StatusCode)
	}
	if a := b.post("/sso/logout", nil); a.location() != "/sso/signed-out" || w.sessions() != 0 {
		t.Errorf("sign-out: to %q, %d sessions", a.location(), w.sessions())
	}
	nobody := licensing.LocalNobody
	w.apply(w.company, licensing.SetCompany{LocalSignIn: &nobody})
	if a := b.post("/signin", form(bobs()...)); a.StatusCode != http.StatusForbidden || !strings.Contains(a.text, "its own sign-in service") {
		t.Errorf("single sign-on only: %d %s", a.StatusCode, a.text)
	}
}

// TestPassword_change: a password that somebody else has chosen is good for choosing another.
func TestPassword_change(t *testing.T) {
	w := newWorld(t, func(c *sso.Config) {
		c.CheckCode = func(a store.Account, code string, now time.Time) (int64, bool, error) {
			step := now.Unix() / 30
			return step, code == "123456" && step > a.TOTPStep, nil
		}
	})
	w.password(false)
	bob := w.account("bob").ID
	w.apply(w.company, licensing.SetRole{ID: bob, Role: licensing.RoleUserAdmin})
	w.apply(w.company, licensing.SetTOTP{ID: bob, Sealed: "x"})
	b := w.browser()
	if a := b.post("/signin", form(bobs()...)); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("without the code: %d", a.StatusCode)
	}
	for name, more := range map[string][]string{
		"the same": {"new", "correct horse", "again", "correct horse"}, "differ": {"new", "another one", "again", "another two"},
		"short": {"new", "abc", "again", "abc"}, "name": {"new", "bob@acme.example", "again", "bob@acme.example"},
	} {
		a := b.post("/signin", form(bobs(append([]string{"code", "123456"}, more...)...)...))
		if a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.text, "New password") {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.text)
		}
		w.pass(2 * time.Minute) // else it is too many tries
	}
	if a := b.post("/signin", form(bobs("code", "123456")...)); a.StatusCode != http.StatusOK || !strings.Contains(a.text, "New password") || strings.Contains(a.text, `role="alert"`) {
		t.Errorf("asked for it: %d %s", a.StatusCode, a.text)
	}
	a := b.post("/signin", form(bobs("code", "123456", "new", "battery staple", "again", "battery staple")...))
	if a.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	if got := w.account("bob"); got.Password != "$battery staple" || got.MustChange {
		t.Errorf("password %q", got.Password)
	}
}

// TestPassword_limits: for one login from one network, whatever other logins are called.
func TestPassword_limits(t *testing.T) {
	w := newWorld(t, limited)
	b := w.browser()
	try := func(user string) int {
		return b.post("/signin", form("company", "acme", "user", user, "password", "wrong")).StatusCode
	}
	try("bob from 127.0.0.1")
	n := 0
	for range 20 {
		if try("bob") == http.StatusUnauthorized {
			n++
		}
	}
	if n != 5 {
		t.Errorf("%d tries, want 5", n)
	}
	if status := try("carol"); status != http.StatusUnauthorized {
		t.Errorf("another login: %d", status)
	}
}

func TestHome(t *testing.T) {
	w := newWorld(t)
	c, err := w.store.Company(t.Context(), w.company.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.SetDomains(t.Context(), c, []string{"acme.example"}, nil); err != nil {
		t.Fatal(err)
	}
	find := func(who string) (page, then answer) {
		b := w.browser()
		page = b.post("/sso", form("who", who, "return", "/app"))
		_, rest, _ := strings.Cut(page.text, `class="button" href="`)
		to, _, _ := strings.Cut(rest, `"`)
		return page, b.get(strings.ReplaceAll(to, "&amp;", "&"))
	}
	for who, want := range map[string]string{
		"ada@ACME.example": "/sso/acme?login_hint=ada%40ACME.example&return=%2Fapp", "Acme": "/sso/acme?return=%2Fapp",
	} {
		if page, then := find(who); page.StatusCode != http.StatusOK || then.location() != want {
			t.Errorf("%s: %d, then %d to %q", who, page.StatusCode, then.StatusCode, then.location())
		}
	}
	for _, who := range []string{"ada@other.example", "nobody", "ada@acme.example.evil", "x y z", "@"} {
		if page, then := find(who); page.StatusCode != http.StatusOK || then.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d, then %d", who, page.StatusCode, then.StatusCode)
		}
	}
	if page, _ := find(" "); page.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("nothing: %d", page.StatusCode)
	}
	if a := w.browser().get("/sso"); a.StatusCode != http.StatusOK || !strings.Contains(a.text, "<form") {
		t.Errorf("form: %d", a.StatusCode)
	}
}

// TestMe_many: of many sessions those are shown that are good, and it is said when there are more.
func TestMe_many(t *testing.T) {
	w := newWorld(t)
	w.signedIn(alice)
	w.offset.Add(int64(licensing.SessionIdleLimit)) // that one is over
	var b *browser
	for range 50 {
		b, _ = w.signedIn(alice)
	}
	if a := b.get("/sso/me"); strings.Count(a.text, `name="session"`) != 49 || strings.Contains(a.text, "There are more") {
		t.Errorf("%d others", strings.Count(a.text, `name="session"`))
	}
	w.signedIn(alice)
	if a := b.get("/sso/me"); !strings.Contains(a.text, "There are more") {
		t.Error("no word of the rest")
	}
}

// TestMe: a person sees their sessions, and ends one or all.
func TestMe(t *testing.T) {
	w := newWorld(t)
	one, _ := w.signedIn(alice)
	two, _ := w.signedIn(alice)
	a := one.get("/sso/me")
	if a.StatusCode != http.StatusOK || strings.Count(a.text, `name="session"`) != 1 || !strings.Contains(a.text, "Video Pro+") && !strings.Contains(a.text, "Video Pro&#43;") {
		t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	_, rest, _ := strings.Cut(a.text, `name="session" value="`)
	id, _, _ := strings.Cut(rest, `"`)
	if a = one.post("/sso/me/end", form("session", id)); a.location() != "/sso/me" {
		t.Errorf("end one: to %q", a.location())
	}
	if status, _ := two.session(); status != http.StatusUnauthorized {
		t.Errorf("the other session: %d", status)
	}
	three, _ := w.signedIn(alice)
	if a = one.post("/sso/me/end", nil); a.location() != "/sso/signed-out" {
		t.Errorf("end all: to %q", a.location())
	}
	for _, b := range []*browser{one, three} {
		if status, _ := b.session(); status != http.StatusUnauthorized {
			t.Errorf("a session: %d", status)
		}
	}
	bob, _ := w.signedIn(alice)
	if a = bob.post("/sso/me/end", form("session", "another's")); a.location() != "/sso/me" {
		t.Errorf("nobody's session: %d to %q", a.StatusCode, a.location())
	}
	if a = w.browser().post("/sso/me/end", nil); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("nobody: %d", a.StatusCode)
	}
}

// TestTrial: an admin sees what a sign-in would come to, and nobody is signed in by it.
func TestTrial(t *testing.T) {
	w := newWorld(t)
	w.set(func(s *store.SignOn) { s.State = store.SignOnDraft })
	try := func(who string) answer {
		t.Helper()
		address, _, err := w.handler.TrialURL(w.company, w.connection("okta"))
		if err != nil {
			t.Fatal(err)
		}
		b := w.browser()
		a := b.get(address)
		if a.StatusCode != http.StatusSeeOther {
			t.Fatalf("begin: %d %s", a.StatusCode, a.text)
		}
		person := alice
		person.Subject = who
		a = b.do(w.idp.Authorize(a.location(), person).Request())
		if status, _ := b.session(); status == http.StatusOK || w.sessions() != 0 {
			t.Errorf("%s is signed in by a test", who)
		}
		return a
	}
	if a := try("nobody"); a.StatusCode != http.StatusOK || !strings.Contains(a.text, "would not work yet") || !strings.Contains(a.text, "not_provisioned") {
		t.Errorf("nobody: %d %s", a.StatusCode, a.text)
	}
	if got := w.connection("okta").SignOn.State; got != store.SignOnDraft {
		t.Errorf("state %s", got)
	}
	if a := try("bob"); !strings.Contains(a.text, "would not let this person in") || !strings.Contains(a.text, "license_has_no_sso") {
		t.Errorf("bob: %s", a.text)
	}
	if got := w.connection("okta").SignOn.State; got != store.SignOnTested {
		t.Errorf("state %s", got)
	}
	if a := try("alice"); !strings.Contains(a.text, "would let this person in") || !strings.Contains(a.text, "<dt>sub</dt><dd>alice</dd>") {
		t.Errorf("alice: %s", a.text)
	}
	if a := w.account("alice"); a.Identity.Subject != "" || a.Activation != "" {
		t.Errorf("a test has changed the account: %+v", a.Identity)
	}
	if a := w.browser().get("/sso/acme"); a.StatusCode != http.StatusNotFound {
		t.Errorf("a sign-in while it is only tested: %d", a.StatusCode)
	}
	if a := w.browser().get("/sso/acme/okta/test?ticket=x"); a.StatusCode != http.StatusNotFound {
		t.Errorf("without a ticket: %d", a.StatusCode)
	}
}

// TestCanary: neither the log nor the database has anything by which somebody could sign in, or ask for more.
func TestCanary(t *testing.T) {
	w := newWorld(t)
	var secrets []string
	w.idp.EditTokenResponse(func(m map[string]any) {
		m["access_token"] = "CANARY-ACCESS"
		secrets = append(secrets, m["id_token"].(string))
	})
	b := w.browser()
	answered := w.idp.Authorize(b.begin(), alice)
	b.wantIn("alice", b.do(answered.Request()))
	w.browser().post("/signin", form("company", "acme", "user", "bob", "password", "CANARY-PASSWORD"))
	request := w.idp.Requests("token")[0]
	secrets = append(secrets, "CANARY-ACCESS", "CANARY-PASSWORD", answered.Values.Get("code"), answered.Values.Get("state"), request.Form.Get("code_verifier"))
	for _, c := range b.Jar.Cookies(answered.Request().URL) {
		secrets = append(secrets, c.Value)
	}
	kept := string(w.store.Dump(t))
	for _, secret := range secrets {
		if len(secret) < 8 {
			t.Fatalf("%q is no secret", secret)
		}
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("the log has %.20s", secret)
		}
		if strings.Contains(kept, secret) {
			t.Errorf("the database has %.20s", secret)
		}
	}
}

// TestSomebodyElse: whoever is not let in can come back as somebody else, though the identity provider knows them still.
func TestSomebodyElse(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	stranger := alice
	stranger.Subject = "stranger"
	a := b.signIn(stranger)
	_, rest, _ := strings.Cut(a.text, `class="button" href="`)
	to, label, _ := strings.Cut(rest, `"`)
	if !strings.HasPrefix(label, ">Sign in as somebody else") {
		t.Fatal(a.text)
	}
	if a = b.get(strings.ReplaceAll(to, "&amp;", "&")); !strings.Contains(a.location(), "prompt=login") {
		t.Errorf("sent to %s", a.location())
	}
	if a = b.get("/sso/acme?prompt=none"); strings.Contains(a.location(), "prompt") {
		t.Errorf("sent to %s", a.location())
	}
}
