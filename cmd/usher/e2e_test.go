package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"usher/cmd/internal/adminapi"
)

// The end-to-end tests run the program against the OpenID provider of npm (oidc-provider, which is certified), by HTTP and in Chromium. They
// need node, npm and Chromium, and are left out where these are not there. The environment:
//
//	USHER_E2E=required        what is not there is a failure
//	USHER_E2E_MODULES=DIR     a folder in which "npm ci" was run for testdata/e2e; without it the tests run it themselves
//	USHER_E2E_CHROMIUM=FILE   the browser; without it chromium is looked for
//	USHER_E2E_SHOTS=DIR       where the pictures of the pages go; without it they are thrown away
const e2eFolder = "testdata/e2e"

// e2eClient is a connection of the company, and the client that it is at a provider.
type e2eClient struct {
	connection, provider, auth, mode string
	algorithm                        string // that the provider signs ID tokens by
	pushed                           bool   // the provider takes requests of the client only beforehand
	secret                           string
	scopes                           []string // beside those that usher needs
}

// path is an address of the connection.
func (c e2eClient) path(rest string) string { return "/sso/acme/" + c.connection + rest }

// e2eClients are all ways in which a connection speaks with a provider. An account belongs to one issuer at a time.
func e2eClients() []e2eClient {
	odd := "/+%:&= " // what has to be encoded on the way (RFC 6749 section 2.3.1)
	return []e2eClient{
		{connection: "query", provider: "plain", auth: "client_secret_basic", mode: "query", algorithm: "RS256", secret: odd + rand.Text(), scopes: []string{"email", "profile"}},
		{connection: "form-post", provider: "plain", auth: "client_secret_post", mode: "form_post", algorithm: "ES256", secret: odd + rand.Text()},
		{connection: "key", provider: "pushing", auth: "private_key_jwt", mode: "query", algorithm: "ES256"},
		{connection: "pushed", provider: "pushing", auth: "client_secret_basic", mode: "form_post", algorithm: "RS256", pushed: true, secret: rand.Text()},
	}
}

// e2e is the program at work for a company, with the providers of its people.
type e2e struct {
	usher     string // the program
	data, log string // folder and file
	base      string
	clients   []e2eClient
	issuers   map[string]string // by the name of the provider
	told      string            // file with what the providers have told
	scimToken string
	ids       map[string]string // of the people, by their login
	server    *exec.Cmd
}

// startE2E sets everything up: the company acme with ada and amy (Video Pro+), bob (Video Pro), eve (a guest) and dora (deactivated).
func startE2E(t *testing.T, usher, modules string) *e2e {
	t.Helper()
	e := &e2e{usher: usher, data: t.TempDir(), clients: e2eClients(), ids: map[string]string{}}
	e.startServer(t)
	e.startProviders(t, modules)
	e.cli(t, nil, "company", "create", "acme", "--display", "Acme", "--tier", "video-pro-plus", "--seats", "video-pro-plus=5", "--domain", "acme.example")
	var token adminapi.CreatedToken
	e.cli(t, &token, "token", "create", "--company", "acme", "--connection", "directory", "--assign-licenses", "--json")
	e.scimToken = token.Secret
	for _, p := range []struct{ login, address, more string }{
		{"ada", "ada@acme.example", `"active": true, "entitlements": [{"value": "video-pro-plus"}]`},
		{"amy", "amy@acme.example", `"active": true, "entitlements": [{"value": "video-pro-plus"}]`},
		{"bob", "bob@acme.example", `"active": true`},
		{"eve", "eve@gmail.com", `"active": true, "entitlements": [{"value": "video-pro-plus"}]`},
		{"dora", "dora@acme.example", `"active": false, "entitlements": [{"value": "video-pro-plus"}]`},
	} {
		e.ids[p.login] = idOf(e.scim(t, http.StatusCreated, http.MethodPost, "/Users", fmt.Sprintf(`{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
			"userName": %q, "externalId": %q, "displayName": "The person %s", "emails": [{"type": "work", "value": %q}], %s}`,
			p.address, p.login, p.login, p.address, p.more)))
	}
	for _, c := range e.clients {
		e.connect(t, c)
	}
	return e
}

// buildUsher builds the program as it is delivered.
func buildUsher(t *testing.T) string {
	t.Helper()
	usher := filepath.Join(t.TempDir(), "usher")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", usher, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, said)
	}
	return usher
}

// startServer starts the program on a free port.
func (e *e2e) startServer(t *testing.T) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "usher.toml")
	text := fmt.Sprintf("addr = \"127.0.0.1:0\"\ndata = %q\n[sso]\ninsecure_loopback = true\nper_address = 1000\n", e.data)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	e.server = exec.Command(e.usher, "serve", "--config", config)
	e.log = runInBackground(t, e.server)
	t.Cleanup(func() {
		for line := range strings.Lines(read(t, e.log)) {
			if strings.Contains(line, `"level":"ERROR"`) {
				t.Errorf("the server says: %s", line)
			}
		}
	})
	await(t, "the server", func() bool {
		for line := range strings.Lines(read(t, e.log)) {
			var said struct{ Msg, Addr string }
			if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "serving" {
				e.base = "http://" + said.Addr
			}
		}
		return e.base != ""
	})
}

// startProviders starts the two providers: one takes requests beforehand (RFC 9126), the other does not.
func (e *e2e) startProviders(t *testing.T, modules string) {
	t.Helper()
	clients := map[string][]map[string]any{}
	for _, c := range e.clients {
		metadata := map[string]any{
			"client_id": "usher-" + c.connection, "token_endpoint_auth_method": c.auth, "id_token_signed_response_alg": c.algorithm,
			"redirect_uris": []string{e.base + c.path("/callback")}, "post_logout_redirect_uris": []string{e.base + "/sso/signed-out"},
			"backchannel_logout_uri": e.base + c.path("/backchannel-logout"), "backchannel_logout_session_required": true,
		}
		switch {
		case c.secret != "":
			metadata["client_secret"] = c.secret
		default:
			metadata["jwks_uri"] = e.base + c.path("/jwks.json")
		}
		if c.pushed {
			metadata["require_pushed_authorization_requests"] = true
		}
		clients[c.provider] = append(clients[c.provider], metadata)
	}
	config, err := json.Marshal(map[string]any{"providers": []map[string]any{
		{"name": "plain", "pushed": false, "clients": clients["plain"]}, {"name": "pushing", "pushed": true, "clients": clients["pushing"]},
	}})
	if err != nil {
		t.Fatal(err)
	}
	node := exec.Command("node", filepath.Join(modules, "op.mjs"))
	node.Env = append(os.Environ(), "OP_CONFIG="+string(config))
	e.told = runInBackground(t, node)
	await(t, "the OpenID provider", func() bool {
		for _, said := range e.events(t, "ready") {
			e.issuers = said.Issuers
		}
		return e.issuers != nil
	})
}

// opEvent is something that the providers tell.
type opEvent struct {
	Event, Client, Login string
	Issuers              map[string]string
	Access               string `json:"access_token"`
	ID                   string `json:"id_token"`
	Code, Verifier       string
	Where, Error         string
}

// events gives what the providers have told of one kind.
func (e *e2e) events(t *testing.T, kind string) []opEvent {
	t.Helper()
	var all []opEvent
	for line := range strings.Lines(read(t, e.told)) {
		var said opEvent
		if json.Unmarshal([]byte(line), &said) == nil && said.Event == kind {
			all = append(all, said)
		}
	}
	return all
}

// connect sets single sign-on up as an admin would, and sees that what is to be entered at the provider is what was entered there.
func (e *e2e) connect(t *testing.T, c e2eClient) {
	t.Helper()
	args := []string{
		"connection", "sign-on", "--company", "acme", "--connection", c.connection, "--issuer", e.issuers[c.provider], "--client-id", "usher-" + c.connection,
		"--client-auth", c.auth, "--response-mode", c.mode, "--state", "active", "--untested", "--json",
	}
	if c.secret != "" {
		file := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(file, []byte(c.secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--client-secret-file", file)
	}
	for _, scope := range c.scopes {
		args = append(args, "--scope", scope)
	}
	e.cli(t, nil, args...)
	var shown adminapi.SignOn
	e.cli(t, &shown, "connection", "show", "--company", "acme", "--connection", c.connection, "--json")
	for _, a := range []struct{ what, got, want string }{
		{"state", shown.State, "active"}, {"redirect URI", shown.RedirectURI, e.base + c.path("/callback")},
		{"sign-out redirect URI", shown.SignedOutURI, e.base + "/sso/signed-out"}, {"logout URI", shown.LogoutURI, e.base + c.path("/backchannel-logout")},
		{"start", shown.StartURL, e.base + "/sso/acme"},
	} {
		if a.got != a.want {
			t.Errorf("connection %s: the %s is %q, want %q", c.connection, a.what, a.got, a.want)
		}
	}
	if c.secret == "" && shown.KeysURI != e.base+c.path("/jwks.json") {
		t.Errorf("connection %s: the keys are at %q", c.connection, shown.KeysURI)
	}
}

// client gives the client of a connection.
func (e *e2e) client(connection string) e2eClient {
	return e.clients[slices.IndexFunc(e.clients, func(c e2eClient) bool { return c.connection == connection })]
}

// cli runs a command on the data folder and decodes what it prints.
func (e *e2e) cli(t *testing.T, out any, args ...string) {
	t.Helper()
	cmd := exec.Command(e.usher, append(args, "--data", e.data)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		t.Fatalf("usher %s: %v: %s", strings.Join(args, " "), err, &stderr)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(stdout, out); err != nil {
		t.Fatalf("usher %s: %v in %s", strings.Join(args, " "), err, stdout)
	}
}

// scim sends what the directory of the company would send.
func (e *e2e) scim(t *testing.T, status int, method, path, body string) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, e.base+"/scim/v2"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+e.scimToken)
	r.Header.Set("Content-Type", "application/scim+json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != status {
		t.Fatalf("%s %s is answered by %d, want %d: %s", method, path, resp.StatusCode, status, answer)
	}
	return answer
}

// runInBackground runs a program until the test ends. It gives the file into which the program prints: its errors if it is the server, which
// logs there, else what it prints for others.
func runInBackground(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, errs := filepath.Join(t.TempDir(), "stdout"), filepath.Join(t.TempDir(), "stderr")
	for name, to := range map[string]*io.Writer{out: &cmd.Stdout, errs: &cmd.Stderr} {
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close() // the program has its own
		*to = f
	}
	stdin, err := cmd.StdinPipe() // which ends with the test, whatever becomes of that
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			said := slices.Collect(strings.Lines(read(t, errs)))
			t.Logf("the last that %s says:\n%s", filepath.Base(cmd.Path), strings.Join(said[max(0, len(said)-20):], ""))
		}
	})
	if filepath.Base(cmd.Path) == "usher" && slices.Contains(cmd.Args, "serve") {
		return errs
	}
	return out
}

// await waits for something that takes a moment.
func await(t *testing.T, what string, there func() bool) {
	t.Helper()
	for ends := time.Now().Add(20 * time.Second); time.Now().Before(ends); time.Sleep(20 * time.Millisecond) {
		if there() {
			return
		}
	}
	t.Fatalf("%s is waited for in vain", what)
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// e2eModules gives a folder with the scripts and the packages that they use, and leaves the test out where that, or a program, is not to be had.
func e2eModules(t *testing.T, programs ...string) string {
	t.Helper()
	var lacking []string
	for _, name := range append([]string{"node", "npm"}, programs...) {
		if _, err := exec.LookPath(name); err != nil {
			lacking = append(lacking, name)
		}
	}
	if len(lacking) > 0 {
		leaveOut(t, "not installed: "+strings.Join(lacking, ", "))
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(e2eFolder)); err != nil {
		t.Fatal(err)
	}
	if made := os.Getenv("USHER_E2E_MODULES"); made != "" {
		from := filepath.Join(made, "node_modules")
		if _, err := os.Stat(filepath.Join(from, "oidc-provider")); err != nil {
			leaveOut(t, "USHER_E2E_MODULES has no node_modules/oidc-provider")
		}
		if err := os.Symlink(from, filepath.Join(dir, "node_modules")); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	npm := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	npm.Dir = dir
	if said, err := npm.CombinedOutput(); err != nil {
		first, _, _ := strings.Cut(strings.TrimSpace(string(said)), "\n")
		leaveOut(t, fmt.Sprintf("npm ci: %v: %s", err, first))
	}
	return dir
}

// leaveOut leaves the test out, unless it is required.
func leaveOut(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("USHER_E2E") == "required" {
		t.Fatalf("cannot run end to end: %s", why)
	}
	t.Skipf("left out, because it cannot run end to end: %s", why)
}
