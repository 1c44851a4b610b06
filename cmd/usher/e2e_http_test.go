package main

import (
	"bytes"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"usher/cmd/internal/adminapi"
)

// TestEndToEnd_http signs people in and out by every kind of connection, following the forms of the provider as a browser would.
func TestEndToEnd_http(t *testing.T) {
	modules := e2eModules(t)
	e := startE2E(t, buildUsher(t), modules)
	seen := &canaries{values: map[string][]string{"SCIM token": {e.scimToken}}, denials: map[string]string{}}
	for _, c := range e.clients {
		if c.secret != "" {
			seen.add("client secret", c.secret[max(0, len(c.secret)-26):]) // the part that is written the same everywhere
		}
	}
	newcomer := func(t *testing.T) *visitor { return newVisitor(t, e, seen) }

	for _, name := range []string{"query", "form-post"} {
		c := e.client(name)
		t.Run(name, func(t *testing.T) { throughConnection(t, newcomer, c) })
	}
	t.Run("sign out here", func(t *testing.T) { signOutHere(t, newcomer(t)) })
	t.Run("sign out at the provider", func(t *testing.T) { signOutThere(t, newcomer(t), newcomer(t)) })
	t.Run("an admin signs somebody out", func(t *testing.T) {
		v := newcomer(t)
		v.signIn("/sso/acme?connection=query", "ada")
		v.isIn("query")
		var page adminapi.PersonSessionPage
		e.cli(t, &page.Items, "account", "sessions", "--company", "acme", "ada", "--json")
		if len(page.Items) == 0 || page.Items[0].By != "sso" || !page.Items[0].Good || page.Items[0].UserName != "ada@acme.example" {
			t.Errorf("the sessions are %+v", page.Items)
		}
		e.cli(t, nil, "account", "sign-out", "--company", "acme", "ada")
		v.isOut("session_ended")
	})
	t.Run("an admin tries the connection out", func(t *testing.T) { tryOut(t, newcomer(t)) })
	t.Run("another issuer", func(t *testing.T) {
		before := newcomer(t)
		before.signIn("/sso/acme?connection=query", "ada")
		before.isIn("query")
		v := newcomer(t)
		v.denied(v.signIn("/sso/acme?connection=key", "ada"), http.StatusForbidden, "already_linked", "Your account is linked to another identity.")
		e.cli(t, nil, "account", "unlink", "--company", "acme", "ada")
		before.isOut("session_ended")
	})
	for _, name := range []string{"key", "pushed"} {
		c := e.client(name)
		t.Run(name, func(t *testing.T) {
			throughConnection(t, newcomer, c)
			for _, told := range e.events(t, "pushed") {
				if told.Client == "usher-"+name {
					return
				}
			}
			t.Error("the request was not pushed")
		})
	}
	t.Run("the directory deactivates somebody", func(t *testing.T) {
		v := newcomer(t)
		v.signIn("/sso/acme?connection=key", "ada")
		v.isIn("key")
		e.scim(t, http.StatusOK, http.MethodPatch, "/Users/"+e.ids["ada"], `{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
			"Operations": [{"op": "replace", "path": "active", "value": false}]}`)
		v.isOut("user_deactivated")
		if page := v.get("/sso/me"); page.status != http.StatusUnauthorized || !strings.Contains(page.text, "Your account is not active.") {
			t.Errorf("their page is %d: %s", page.status, page.text)
		}
		v.denied(v.signIn("/sso/acme?connection=key", "ada"), http.StatusForbidden, "user_deactivated", "Your account is not active.")
	})
	for _, told := range e.events(t, "tokens") {
		seen.add("access token", told.Access)
		seen.add("ID token", told.ID)
		_, unsigned, _ := strings.Cut(told.ID, ".")
		seen.add("ID token", strings.Split(unsigned, ".")...)
		seen.add("code", told.Code)
		seen.add("PKCE verifier", told.Verifier)
	}
	seen.look(t, e)
	seen.audited(t, e)
	for _, told := range e.events(t, "error") {
		t.Errorf("the provider says: %s: %s", told.Where, told.Error)
	}
	if err := e.server.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := e.server.Wait(); err != nil {
		t.Fatalf("the server has not stopped well: %v", err)
	}
	seen.look(t, e) // and what the end has written
}

// throughConnection lets ada in, once by each answer, and nobody who may not.
func throughConnection(t *testing.T, newcomer func(*testing.T) *visitor, c e2eClient) {
	v := newcomer(t)
	start := "/sso/acme?connection=" + c.connection
	if page := v.signIn(start, "ada"); page.status != http.StatusOK || page.url.Path != "/sso/me" || !strings.Contains(page.text, "You are signed in to Acme.") {
		t.Fatalf("ada comes to %s, %d: %s", page.url, page.status, page.text)
	}
	if got := v.answer.method == http.MethodPost; got != (c.mode == "form_post") {
		t.Errorf("the answer came by %s", v.answer.method)
	}
	v.isIn(c.connection)

	// The same answer again: from her browser, from another, and from one that has even the cookies that it came with.
	again, stranger, thief := v.answer, newcomer(t), newcomer(t)
	thief.client.Jar.SetCookies(thief.address("/"), again.cookies)
	for _, v := range []*visitor{v, stranger, thief} {
		v.denied(v.send(again), http.StatusBadRequest, "state_used", "This sign-in was used already.")
	}
	stranger.isOut("not_signed_in")
	thief.isOut("not_signed_in")
	v.isIn(c.connection)

	// An answer in the wrong hands is of no use, and that it was there takes nothing from whoever it is for.
	slow := newcomer(t)
	slow.waits = true
	slow.signIn(start, "ada")
	slow.isOut("not_signed_in")
	stranger.denied(stranger.send(slow.answer), http.StatusBadRequest, "state_browser", "This sign-in was begun in another browser")
	stranger.isOut("not_signed_in")
	slow.send(slow.answer)
	slow.isIn(c.connection)

	// Where somebody came from is where they come to, if that is here.
	for _, way := range []struct{ back, to string }{{"/app/page?of=1", "/app/page?of=1"}, {"//evil.example/", "/sso/me"}, {"https://evil.example/", "/sso/me"}} {
		if page := v.signIn(start+"&return="+url.QueryEscape(way.back), "ada"); page.url.String() != v.e.base+way.to {
			t.Errorf("to return to %s, ada comes to %s", way.back, page.url)
		}
	}

	for _, who := range []struct{ login, code, sentence string }{
		{"bob", "license_has_no_sso", "Your license does not include single sign-on; Video Pro+ does."},
		{"eve", "guest_cannot_use_sso", "Guests cannot use single sign-on."},
		{"dora", "user_deactivated", "Your account is not active."},
		{"stranger", "not_provisioned", "You have signed in, but no account has been set up for you here."},
	} {
		v := newcomer(t)
		v.denied(v.signIn(start, who.login), http.StatusForbidden, who.code, who.sentence)
		v.isOut("not_signed_in")
	}
}

// signOutHere signs out by the button, which leads on to the provider and back.
func signOutHere(t *testing.T, v *visitor) {
	v.signIn("/sso/acme?connection=query", "ada")
	v.isIn("query")
	page := v.post(v.address("/sso/logout").String(), nil)
	if page.url.Host == v.address("/").Host || page.form == nil {
		t.Fatalf("the button leads to %s, %d: %s", page.url, page.status, page.text)
	}
	v.isOut("not_signed_in") // whatever becomes of it there
	if page = v.confirm(page); page.url.Path != "/sso/signed-out" || page.url.Query().Get("state") == "" || !strings.Contains(page.text, "You are signed out.") {
		t.Errorf("the provider leads to %s, %d: %s", page.url, page.status, page.text)
	}
	if page := v.get("/sso/acme?connection=query"); !page.asks("login") {
		t.Errorf("the provider still knows ada: %s, %d: %s", page.url, page.status, page.text)
	}
}

// signOutThere signs out at the provider, which tells usher; the same person's session in another browser goes on.
func signOutThere(t *testing.T, v, other *visitor) {
	for _, v := range []*visitor{v, other} {
		v.signIn("/sso/acme?connection=form-post", "ada")
		v.isIn("form-post")
	}
	before := len(v.e.events(t, "logout"))
	v.confirm(v.get(v.e.issuers["plain"] + "/session/end"))
	if told := v.e.events(t, "logout"); len(told) != before+1 || told[before].Client != "usher-form-post" {
		t.Errorf("the provider has told of %+v", told[before:])
	}
	v.isOut("session_ended")
	other.isIn("form-post")
}

// tryOut tries a connection out as an admin does: everything is shown and nobody is signed in.
func tryOut(t *testing.T, v *visitor) {
	var test adminapi.SignOnTest
	v.e.cli(t, &test, "connection", "test", "--company", "acme", "--connection", "query", "--json")
	for _, check := range test.Checks {
		if !check.Passed {
			t.Errorf("%s %s", check.Asks, check.Found)
		}
	}
	var before, after []adminapi.PersonSession
	v.e.cli(t, &before, "account", "sessions", "--company", "acme", "--json")
	page := v.signIn(test.URL, "ada")
	for _, shown := range []string{"would let this person in", "Nobody was signed in", "ada@acme.example", "email_verified", `externalId = "ada", which is the claim sub`} {
		if page.status != http.StatusOK || !strings.Contains(page.text, shown) {
			t.Errorf("%q is not on the page, %d: %s", shown, page.status, page.text)
		}
	}
	v.isOut("not_signed_in")
	v.e.cli(t, &after, "account", "sessions", "--company", "acme", "--json")
	if len(after) != len(before) {
		t.Errorf("there are %d sessions, and there were %d", len(after), len(before))
	}
	bob := newVisitor(t, v.e, v.seen)
	if page := bob.signIn(test.URL, "bob"); page.status != http.StatusOK || !strings.Contains(page.text, "would not let this person in") || !strings.Contains(page.text, "license_has_no_sso") {
		t.Errorf("of bob the page says, %d: %s", page.status, page.text)
	}
}

// visitor is a browser without a screen.
type visitor struct {
	t      *testing.T
	e      *e2e
	seen   *canaries
	client *http.Client
	answer answer // the last of the provider
	waits  bool   // before the answer is sent on to usher
}

// answer is the answer of a provider to usher, as it came.
type answer struct {
	method, address string
	form            url.Values
	cookies         []*http.Cookie
}

func newVisitor(t *testing.T, e *e2e, seen *canaries) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t: t, e: e, seen: seen}
	v.client = &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if v.note(r.Method, r.URL, nil) && v.waits {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	return v
}

// note keeps an answer of the provider on its way to usher, and says whether it was one.
func (v *visitor) note(method string, to *url.URL, form url.Values) bool {
	if !strings.HasSuffix(to.Path, "/callback") {
		return false
	}
	v.answer = answer{method, to.String(), form, v.client.Jar.Cookies(to)}
	for _, c := range v.answer.cookies {
		v.seen.add("cookie", c.Value)
	}
	return true
}

// shown is a page as a visitor sees it.
type shown struct {
	status int
	url    *url.URL
	header http.Header
	text   string
	action string     // of the first form
	form   url.Values // its fields; nil: there is no form
}

func (p shown) asks(field string) bool { return p.form.Has(field) }

var (
	styleTag = regexp.MustCompile(`(?s)<style.*?</style>`)
	formTag  = regexp.MustCompile(`(?s)<form[^>]* action="([^"]*)"[^>]*>(.*?)</form>`)
	inputTag = regexp.MustCompile(`(?s)<input[^>]*>`)
	nameOf   = regexp.MustCompile(` name="([^"]*)"`)
	valueOf  = regexp.MustCompile(` value="([^"]*)"`)
	refOf    = regexp.MustCompile(`Reference for your administrator: <code>([^<]+)</code>`)
)

// address gives that of a path of usher; others stay as they are.
func (v *visitor) address(to string) *url.URL {
	v.t.Helper()
	if strings.HasPrefix(to, "/") {
		to = v.e.base + to
	}
	u, err := url.Parse(to)
	if err != nil {
		v.t.Fatal(err)
	}
	return u
}

func (v *visitor) get(to string) shown {
	v.t.Helper()
	return v.do(http.MethodGet, v.address(to).String(), nil)
}

func (v *visitor) post(to string, form url.Values) shown {
	v.t.Helper()
	if v.note(http.MethodPost, v.address(to), form) && v.waits {
		return shown{}
	}
	return v.do(http.MethodPost, to, form)
}

// send sends an answer of the provider.
func (v *visitor) send(a answer) shown {
	v.t.Helper()
	return v.do(a.method, a.address, a.form)
}

func (v *visitor) do(method, address string, form url.Values) shown {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	p := shown{status: resp.StatusCode, url: resp.Request.URL, header: resp.Header, text: html.UnescapeString(styleTag.ReplaceAllString(string(body), ""))}
	if found := formTag.FindSubmatch(body); found != nil {
		p.action, p.form = html.UnescapeString(string(found[1])), url.Values{}
		for _, input := range inputTag.FindAll(found[2], -1) {
			value := ""
			if found := valueOf.FindSubmatch(input); found != nil {
				value = html.UnescapeString(string(found[1]))
			}
			if found := nameOf.FindSubmatch(input); found != nil {
				p.form.Set(string(found[1]), value)
			}
		}
	}
	for _, c := range v.client.Jar.Cookies(v.address("/")) {
		if c.Name == "__Host-sso" {
			v.seen.add("session cookie", c.Value)
		}
	}
	return p
}

// signIn goes from an address of usher through the forms of the provider, until that leads back.
func (v *visitor) signIn(start, login string) shown {
	v.t.Helper()
	v.answer = answer{}
	page := v.get(start)
	for range 5 { // to prove who they are, to agree, and to be sent back by a form
		if v.waits && v.answer.address != "" || page.url.Host == v.address("/").Host {
			break
		}
		if page.form == nil {
			v.t.Fatalf("the provider has no form at %s, %d: %s", page.url, page.status, page.text)
		}
		if page.asks("login") {
			page.form.Set("login", login)
			page.form.Set("password", "anything")
		}
		page = v.post(page.action, page.form)
	}
	return page
}

// confirm says yes to the question of the provider whether to sign out.
func (v *visitor) confirm(page shown) shown {
	v.t.Helper()
	if !page.asks("xsrf") {
		v.t.Fatalf("the provider does not ask whether to sign out: %s, %d: %s", page.url, page.status, page.text)
	}
	page.form.Set("logout", "yes")
	return v.post(page.action, page.form)
}

// isIn sees that ada is signed in, whoever asks.
func (v *visitor) isIn(connection string) {
	v.t.Helper()
	var session struct {
		Account     string
		UserName    string `json:"user_name"`
		Company     string
		License     string
		By          string `json:"signed_in_by"`
		Connection  string
		DisplayName string `json:"display_name"`
	}
	page := v.get("/sso/session")
	if err := json.Unmarshal([]byte(page.text), &session); err != nil || page.status != http.StatusOK {
		v.t.Fatalf("the session is %d: %s", page.status, page.text)
	}
	if session.Account != v.e.ids["ada"] || session.UserName != "ada@acme.example" || session.Company != "acme" || session.License != "video-pro-plus" ||
		session.By != "sso" || session.Connection != connection || session.DisplayName != "The person ada" {
		v.t.Errorf("the session is %s", page.text)
	}
	if page := v.get("/sso/verify?company=another"); page.status != http.StatusForbidden {
		v.t.Errorf("into another company's application she is let by %d", page.status)
	}
	page = v.get("/sso/verify?company=acme")
	for name, want := range map[string]string{
		"Usher-Account": v.e.ids["ada"], "Usher-User": "ada@acme.example", "Usher-Company": "acme", "Usher-License": "video-pro-plus", "Usher-Signed-In-By": "sso",
	} {
		if got := page.header.Get(name); page.status != http.StatusOK || got != want {
			v.t.Errorf("a proxy is told, %d, that %s is %q, want %q", page.status, name, got, want)
		}
	}
	var me struct{ ID, UserName string }
	page = v.get("/scim/v2/Me")
	if err := json.Unmarshal([]byte(page.text), &me); err != nil || page.status != http.StatusOK || me.ID != v.e.ids["ada"] || me.UserName != "ada@acme.example" {
		v.t.Errorf("SCIM's /Me is %d: %s", page.status, page.text)
	}
}

// isOut sees that nobody is signed in, whoever asks.
func (v *visitor) isOut(reason string) {
	v.t.Helper()
	for _, path := range []string{"/sso/session", "/sso/verify?company=acme"} {
		page := v.get(path)
		if page.status != http.StatusUnauthorized || page.header.Get("Usher-Reason") != reason || !strings.Contains(page.text, `"reason":"`+reason+`"`) {
			v.t.Errorf("%s is %d, want %s: %s", path, page.status, reason, page.text)
		}
	}
	if page := v.get("/scim/v2/Me"); page.status != http.StatusUnauthorized {
		v.t.Errorf("SCIM's /Me is %d: %s", page.status, page.text)
	}
}

// denied sees that a page says why somebody is kept out, and notes what an admin is to find by its reference.
func (v *visitor) denied(page shown, status int, code, sentence string) {
	v.t.Helper()
	ref := refOf.FindStringSubmatch(page.text)
	if page.status != status || !strings.Contains(page.text, sentence) || ref == nil {
		v.t.Errorf("the page is %d, want %d with %q and a reference: %s", page.status, status, sentence, page.text)
		return
	}
	v.seen.denials[ref[1]] = code
}

// canaries are secrets that went over the wires, and should be nowhere else.
type canaries struct {
	values  map[string][]string
	denials map[string]string // codes by the references that people were shown
}

// audited sees that an admin finds every denial by its reference.
func (c *canaries) audited(t *testing.T, e *e2e) {
	t.Helper()
	var events []adminapi.Event
	e.cli(t, &events, "audit", "--company", "acme", "--limit", "1000", "--json")
	found := map[string]string{}
	for _, happened := range events {
		var detail struct{ Code string }
		if json.Unmarshal(happened.Detail, &detail) == nil && detail.Code != "" {
			found[happened.Request] = detail.Code
		}
	}
	if len(c.denials) < 20 {
		t.Errorf("only %d denials were seen", len(c.denials))
	}
	for ref, code := range c.denials {
		if found[ref] != code {
			t.Errorf("the audit log has the code %q for the reference %s, want %q", found[ref], ref, code)
		}
	}
}

func (c *canaries) add(kind string, values ...string) {
	for _, v := range values {
		if v != "" {
			c.values[kind] = append(c.values[kind], v)
		}
	}
}

// look looks for them in all that the server has written.
func (c *canaries) look(t *testing.T, e *e2e) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(e.data, "usher.db*"))
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	for _, file := range append(files, e.log) {
		all.WriteString(read(t, file))
	}
	for _, there := range []string{"ada@acme.example", "sign-in request"} { // or this looks into the wrong files
		if !bytes.Contains(all.Bytes(), []byte(there)) {
			t.Errorf("%q is not in %v", there, files)
		}
	}
	for _, kind := range []string{"client secret", "SCIM token", "access token", "ID token", "session cookie", "cookie", "code", "PKCE verifier"} {
		if len(c.values[kind]) == 0 {
			t.Errorf("no %s was seen", kind)
		}
		for _, value := range c.values[kind] {
			if len(value) < 16 {
				t.Errorf("%q is too short for a %s", value, kind)
			}
			if bytes.Contains(all.Bytes(), []byte(value)) {
				t.Errorf("a %s is in the log or the database: %s", kind, value)
			}
		}
	}
}
