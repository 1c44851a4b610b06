package app

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usher/cmd/internal/adminapi"
)

const (
	userURN    = "urn:ietf:params:scim:schemas:extension:usher:2.0:User"
	licenseURN = "urn:ietf:params:scim:schemas:extension:usher:2.0:License"
)

// site is an assembled server with a company on it, and a client of its SCIM endpoint.
type site struct {
	t     *testing.T
	app   *App
	base  string // where it listens, which its public address may not be
	admin *adminapi.Client
	token string
	stop  func()
}

// start serves a folder on a free port until the test ends or the site is stopped.
func start(t *testing.T, dir string) *site {
	t.Helper()
	return serve(t, Config{Addr: "127.0.0.1:0", Data: dir})
}

func serve(t *testing.T, c Config) *site {
	t.Helper()
	return serveOn(t, c, openStore)
}

// serveOn is serve with another way to open the store.
func serveOn(t *testing.T, c Config, open opener) *site {
	t.Helper()
	a, err := newApp(t.Context(), c, slog.New(slog.DiscardHandler), open)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	served := make(chan error, 1)
	go func() { served <- a.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("run: %v", err)
		}
		if err := a.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	t.Cleanup(stop)
	return &site{t: t, app: a, base: "http://" + a.public.Addr().String(), admin: adminapi.InProcess(a.Admin(), "tester"), stop: stop}
}

// company makes the company acme with seats of Video Pro+ and a token for it.
func (s *site) company(seats int, policy string) {
	s.t.Helper()
	_, err := s.admin.CreateCompany(s.t.Context(), adminapi.NewCompany{
		Name: "acme", Tier: "video-pro-plus", Seats: map[string]int{"video-pro-plus": seats}, SeatPolicy: policy, Admin: "root",
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.connect()
}

func (s *site) connect() {
	s.t.Helper()
	made, err := s.admin.CreateToken(s.t.Context(), "acme", adminapi.NewToken{Connection: "idp", AssignLicenses: true})
	if err != nil {
		s.t.Fatal(err)
	}
	s.token = made.Secret
}

// user is what the tests read of a User.
type user struct {
	ID       string
	UserName string
	Meta     struct{ Location string }
	License  struct{ EffectiveLicense, LicenseState, LicenseReason string } `json:"urn:ietf:params:scim:schemas:extension:usher:2.0:User"`
}

// do sends one request over the network; it may be called from any goroutine.
func (s *site) do(method, path, body string, out any) (int, error) {
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.base+scimPath+path, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Content-Type", "application/scim+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && out != nil && resp.StatusCode < 300 {
		err = json.Unmarshal(b, out)
	}
	return resp.StatusCode, err
}

// must is do with the status that is expected.
func (s *site) must(status int, method, path, body string, out any) {
	s.t.Helper()
	got, err := s.do(method, path, body, out)
	if err != nil || got != status {
		s.t.Fatalf("%s %s: status %d, %v; want %d", method, path, got, err, status)
	}
}

// asks is a person who asks for Video Pro+.
func asks(name string) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"%s@acme.example","externalId":"x-%[1]s",
		"active":true,"entitlements":[{"type":"License","value":"video-pro-plus"}]}`, name)
}

func activate(active bool) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
		"Operations":[{"op":"replace","value":{"active":%v}}]}`, active)
}

// inState lists the people in a license state.
func (s *site) inState(state string) []user {
	s.t.Helper()
	var page struct {
		TotalResults int
		Resources    []user
	}
	s.must(200, http.MethodGet, "/Users?count=1000&filter="+url.QueryEscape(userURN+`:licenseState eq "`+state+`"`), "", &page)
	if page.TotalResults != len(page.Resources) {
		s.t.Fatalf("%d of %d people who are %s", len(page.Resources), page.TotalResults, state)
	}
	return page.Resources
}

// pool is the numbers of Video Pro+.
type pool struct{ Total, Used, Active, Reserved, Held, Waiting int }

// pool reads the numbers and checks them against the people.
func (s *site) pool() pool {
	s.t.Helper()
	var license map[string]json.RawMessage
	s.must(200, http.MethodGet, "/Licenses/video-pro-plus", "", &license)
	var p pool
	if err := json.Unmarshal(license[licenseURN], &p); err != nil {
		s.t.Fatalf("%v in %s", err, license)
	}
	counted := pool{
		Total: p.Total, Active: len(s.inState("active")), Reserved: len(s.inState("reserved")), Held: len(s.inState("held")),
		Waiting: len(s.inState("waiting")),
	}
	counted.Used = counted.Active + counted.Reserved + counted.Held
	if diff := cmp.Diff(counted, p); diff != "" {
		s.t.Errorf("the pool does not say what the people are (-people +pool)\n%s", diff)
	}
	return p
}

// TestSeats_Storm: when 64 people come for 5 seats at the same moment, all are created, five are seated and the others wait; then
// each seat that falls free goes to the one who has waited longest.
func TestSeats_Storm(t *testing.T) {
	s := start(t, t.TempDir())
	s.company(5, "waiting")
	const people = 64
	var (
		wg      sync.WaitGroup
		created [people]user
	)
	for i := range people {
		wg.Go(func() {
			status, err := s.do(http.MethodPost, "/Users", asks(fmt.Sprintf("p%02d", i)), &created[i])
			if err != nil || status != http.StatusCreated {
				t.Errorf("person %d: status %d, %v; want 201", i, status, err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	effective := 0
	for _, u := range created {
		if u.License.EffectiveLicense == "video-pro-plus" {
			effective++
		} else if u.License.EffectiveLicense != "video-pro" || u.License.LicenseState != "waiting" || u.License.LicenseReason != "waiting_for_seat" {
			t.Errorf("%s has %+v", u.UserName, u.License)
		}
	}
	if effective != 5 {
		t.Errorf("%d answers say Video Pro+, want 5", effective)
	}
	if diff := cmp.Diff(pool{Total: 5, Used: 5, Reserved: 5, Waiting: 59}, s.pool()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestSeats_Queue: whoever leaves makes room for the one who has waited longest, and comes back to their old place.
func TestSeats_Queue(t *testing.T) {
	s := start(t, t.TempDir())
	s.company(2, "waiting")
	people := map[string]user{}
	for _, name := range []string{"ada", "grace", "alan", "edsger", "barbara"} {
		var u user
		s.must(201, http.MethodPost, "/Users", asks(name), &u)
		people[name] = u
	}
	states := func(want map[string]string) {
		t.Helper()
		got := map[string]string{}
		for name, u := range people {
			s.must(200, http.MethodGet, "/Users/"+u.ID, "", &u)
			got[name] = u.License.LicenseState
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	states(map[string]string{"ada": "reserved", "grace": "reserved", "alan": "waiting", "edsger": "waiting", "barbara": "waiting"})

	s.must(200, http.MethodPatch, "/Users/"+people["ada"].ID, activate(false), nil)
	states(map[string]string{"ada": "blocked", "grace": "reserved", "alan": "reserved", "edsger": "waiting", "barbara": "waiting"})
	s.pool()

	s.must(204, http.MethodDelete, "/Users/"+people["edsger"].ID, "", nil)
	delete(people, "edsger")
	s.must(200, http.MethodPatch, "/Users/"+people["ada"].ID, activate(true), nil)
	states(map[string]string{"ada": "waiting", "grace": "reserved", "alan": "reserved", "barbara": "waiting"})

	s.must(204, http.MethodDelete, "/Users/"+people["alan"].ID, "", nil)
	delete(people, "alan")
	states(map[string]string{"ada": "reserved", "grace": "reserved", "barbara": "waiting"}) // Ada asked before Barbara
	s.pool()

	if _, err := s.admin.SetSeats(t.Context(), "acme", "video-pro-plus", 3, true); err != nil {
		t.Fatal(err)
	}
	states(map[string]string{"ada": "reserved", "grace": "reserved", "barbara": "reserved"})
	if diff := cmp.Diff(pool{Total: 3, Used: 3, Reserved: 3}, s.pool()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestSeats_Strict: with the policy strict exactly as many get in as there are seats.
func TestSeats_Strict(t *testing.T) {
	s := start(t, t.TempDir())
	s.company(3, "strict")
	var (
		wg       sync.WaitGroup
		statuses [16]int
	)
	for i := range statuses {
		wg.Go(func() {
			var err error
			if statuses[i], err = s.do(http.MethodPost, "/Users", asks(fmt.Sprintf("p%02d", i)), nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	count := map[int]int{}
	for _, status := range statuses {
		count[status]++
	}
	if diff := cmp.Diff(map[int]int{201: 3, 403: 13}, count); diff != "" {
		t.Errorf("statuses (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(pool{Total: 3, Used: 3, Reserved: 3}, s.pool()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestRestart: what was answered is there after a stop and a start, and old tokens are still good.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	s.company(1, "waiting")
	var ada user
	s.must(201, http.MethodPost, "/Users", asks("ada"), &ada)
	token := s.token
	s.stop()

	s = start(t, dir)
	s.token = token
	var again user
	s.must(200, http.MethodGet, "/Users/"+ada.ID, "", &again)
	if again.License != ada.License || again.UserName != ada.UserName {
		t.Errorf("before %+v, after %+v", ada, again)
	}
	s.pool()
}

// TestRevoke: a revoked token is refused by the next request, however recently it was used.
func TestRevoke(t *testing.T) {
	s := start(t, t.TempDir())
	s.company(1, "waiting")
	s.must(200, http.MethodGet, "/Users", "", nil)
	tokens, err := s.admin.Tokens(t.Context(), "acme")
	if err != nil || len(tokens) != 1 {
		t.Fatalf("%d tokens, %v", len(tokens), err)
	}
	if err := s.admin.RevokeToken(t.Context(), "acme", tokens[0].ID); err != nil {
		t.Fatal(err)
	}
	s.must(401, http.MethodGet, "/Users", "", nil)
}

// TestCompanies: a token opens its own company and no other.
func TestCompanies(t *testing.T) {
	s := start(t, t.TempDir())
	s.company(1, "waiting")
	var ada user
	s.must(201, http.MethodPost, "/Users", asks("ada"), &ada)
	if _, err := s.admin.CreateCompany(t.Context(), adminapi.NewCompany{Name: "globex", Admin: "root"}); err != nil {
		t.Fatal(err)
	}
	made, err := s.admin.CreateToken(t.Context(), "globex", adminapi.NewToken{Connection: "idp"})
	if err != nil {
		t.Fatal(err)
	}
	s.token = made.Secret
	s.must(404, http.MethodGet, "/Users/"+ada.ID, "", nil)
	var page struct{ TotalResults int }
	s.must(200, http.MethodGet, "/Users", "", &page)
	if page.TotalResults != 0 {
		t.Errorf("globex sees %d people", page.TotalResults)
	}
	s.must(201, http.MethodPost, "/Users", asks("ada"), nil) // the same name is free here
}

// TestEndpoint: the addresses around SCIM.
func TestEndpoint(t *testing.T) {
	s := start(t, t.TempDir())
	s.company(1, "waiting")
	var ada user
	s.must(201, http.MethodPost, "/Users/", asks("ada"), &ada)
	if want := s.app.SCIMBase() + "/Users/" + ada.ID; ada.Meta.Location != want {
		t.Errorf("location %q, want %q", ada.Meta.Location, want)
	}
	s.must(200, http.MethodGet, "//Users/"+ada.ID+"/", "", nil)
	s.must(404, http.MethodGet, "/Nothing", "", nil)

	resp, err := http.Get(strings.TrimSuffix(s.app.SCIMBase(), scimPath) + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("/healthz answers %d", resp.StatusCode)
	}
}

// TestSocket: the admin API is for the server's own user alone, and gone when the server is.
func TestSocket(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	s.company(1, "waiting")
	info, err := os.Stat(Socket(dir))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 || info.Mode().Type() != os.ModeSocket {
		t.Errorf("the socket is %v", info.Mode())
	}
	client, err := adminapi.Dial(t.Context(), Socket(dir), "tester")
	if err != nil {
		t.Fatal(err)
	}
	companies, err := client.Companies(t.Context())
	if err != nil || len(companies) != 1 {
		t.Errorf("%d companies over the socket, %v", len(companies), err)
	}
	if _, err := OpenFolder(t.Context(), dir, "", slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second process opens the folder: %v", err)
	}
	s.stop()
	if _, err := adminapi.Dial(t.Context(), Socket(dir), "tester"); err == nil {
		t.Error("the socket answers after the stop")
	}
}

func TestPortInUse(t *testing.T) {
	s := start(t, t.TempDir())
	dir := t.TempDir()
	_, err := New(t.Context(), Config{Addr: s.app.public.Addr().String(), Data: dir}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "another program uses the port") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v, want one sentence about the port", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("the refused start has left %v", left)
	}
}

// TestTLS: with a certificate the server speaks HTTPS and says so in its addresses.
func TestTLS(t *testing.T) {
	donor := httptest.NewTLSServer(nil) // for its certificate
	defer donor.Close()
	certificate := donor.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c := Config{Addr: "127.0.0.1:0", Data: dir, TLSCert: filepath.Join(dir, "cert.pem"), TLSKey: filepath.Join(dir, "key.pem")}
	for path, block := range map[string]*pem.Block{
		c.TLSCert: {Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}, c.TLSKey: {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := serve(t, c)
	resp, err := donor.Client().Get(s.app.SCIMBase() + "/ServiceProviderConfig")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(s.app.SCIMBase(), "https://") {
		t.Errorf("%s answers %d", s.app.SCIMBase(), resp.StatusCode)
	}
}
