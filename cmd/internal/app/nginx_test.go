package app

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"usher/cmd/internal/adminapi"
	"usher/sso/ssotest"
)

// nginxConfig is the configuration that the README shows, for a proxy on a free port before a server.
func nginxConfig(t *testing.T, dir, listen, upstream string) string {
	t.Helper()
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(readme), "```nginx\n")
	block, _, ok := strings.Cut(block, "```")
	if !ok {
		t.Fatal("the README shows no configuration of nginx")
	}
	var lines []string
	for line := range strings.Lines(block) {
		if !strings.Contains(line, "ssl_certificate") {
			lines = append(lines, line)
		}
	}
	server := strings.NewReplacer(
		"listen 443 ssl", "listen "+listen, "127.0.0.1:8080", upstream, "/srv/app", filepath.Join(dir, "app"), "Host            $host", "Host $http_host",
	).Replace(strings.Join(lines, ""))
	return fmt.Sprintf(`daemon off; worker_processes 1; pid %[1]s/nginx.pid; error_log %[1]s/error.log; user root;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
%[2]s}
`, dir, server)
}

// freeAddr is an address that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startNginx starts nginx with the configuration until the test ends.
func startNginx(t *testing.T, dir, config, listen string) {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		if os.Getenv("USHER_NGINX") == "required" {
			t.Fatal("nginx is not installed")
		}
		t.Skip("nginx is not installed")
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-p", dir, "-c", file)
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it takes its workers along
		_ = cmd.Wait()
	})
	for range 100 {
		if c, err := net.Dial("tcp", listen); err == nil {
			c.Close()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	said, _ := os.ReadFile(filepath.Join(dir, "error.log"))
	t.Fatalf("nginx does not listen: %s", said)
}

// TestNginx puts nginx, configured as the README says, before a plain page: it is for those with Video Pro+.
func TestNginx(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil { // its workers are somebody else
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "app"), 0o755); err != nil {
		t.Fatal(err)
	}
	const page = "<p>the application</p>"
	if err := os.WriteFile(filepath.Join(dir, "app", "index.html"), []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	public, upstream := freeAddr(t), freeAddr(t)
	startNginx(t, dir, nginxConfig(t, dir, public, upstream), public)
	base := "http://" + public
	s := serve(t, Config{Addr: upstream, Data: t.TempDir(), PublicURL: base, SignOn: playground, TrustedProxies: []string{"127.0.0.1"}})
	s.company(2, "waiting")
	idp := ssotest.New(t)
	s.signOn(idp)
	for _, name := range []string{"ada", "bob"} {
		s.must(http.StatusCreated, http.MethodPost, "/Users", asks(name), nil)
	}
	_, err := s.admin.Assign(t.Context(), "acme", "x-bob", adminapi.Assignment{License: "video-pro"})
	if err != nil {
		t.Fatal(err)
	}

	get := func(c *http.Client, address string) (status int, location, body string, user string) {
		t.Helper()
		resp, err := c.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Header.Get("Location"), string(b), resp.Header.Get("Usher-User")
	}
	come := func(c *http.Client, who string) (status int, location, body string) {
		t.Helper()
		status, location, _, _ = get(c, base+"/index.html?a=1&b=2")
		if status != http.StatusFound || !strings.HasPrefix(location, base+"/sso/acme?return=/index.html") {
			t.Fatalf("%s comes: %d to %s", who, status, location)
		}
		_, location, _, _ = get(c, location)
		resp, err := c.Do(idp.Authorize(location, ssotest.Person{Subject: "x-" + who}).Request())
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Header.Get("Location"), string(b)
	}

	ada := visitor(t)
	status, location, body := come(ada, "ada")
	if status != http.StatusSeeOther || location != "/index.html?a=1&b=2" {
		t.Fatalf("ada: %d to %q %s", status, location, body)
	}
	if status, _, body, user := get(ada, base+location); status != http.StatusOK || body != page || user != "ada@acme.example" {
		t.Errorf("ada at the page: %d %q, as %q", status, body, user)
	}
	bob := visitor(t)
	if status, _, body = come(bob, "bob"); status != http.StatusForbidden || !strings.Contains(body, "Your license does not include single sign-on") {
		t.Errorf("bob: %d %s", status, body)
	}
	// Whoever loses the license is out with the next request, and reads why.
	if _, err := s.admin.Assign(t.Context(), "acme", "x-ada", adminapi.Assignment{License: "video-pro"}); err != nil {
		t.Fatal(err)
	}
	if status, _, body = come(ada, "ada"); status != http.StatusForbidden || !strings.Contains(body, "Your license does not include single sign-on") {
		t.Errorf("ada without the license: %d %s", status, body)
	}
	// The check itself is not for the outside.
	if status, _, _, _ := get(ada, base+"/usher-verify"); status != http.StatusNotFound {
		t.Errorf("the check from outside: %d", status)
	}
	page401, err := s.admin.Events(t.Context(), "acme", adminapi.EventFilter{})
	if err != nil || len(page401.Items) == 0 {
		t.Fatal(err)
	}
	if last := string(page401.Items[len(page401.Items)-1].Detail); !strings.Contains(last, `"address":"127.0.0.1"`) {
		t.Errorf("the event has %s", last)
	}
}
