package scimtest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/store/enginetest"
	"usher/store/mongo/mongotest"
)

// work is where the program is built.
var work string

// build makes the program once for all tests of the package.
var build = sync.OnceValues(func() (string, error) {
	program := filepath.Join(work, "usher")
	cmd := exec.Command("go", "build", "-o", program, "usher/cmd/usher")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return program, nil
})

func TestMain(m *testing.M) {
	var err error
	if work, err = os.MkdirTemp("", "usher-test-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	os.RemoveAll(work)
	os.Exit(status)
}

// home is where a server keeps its records: in a folder, or in a database when the run is for MongoDB (see enginetest).
type home struct {
	data string // the folder
	uri  string // of the database; empty: there is none
}

func newHome(t *testing.T) home {
	t.Helper()
	h := home{data: t.TempDir()}
	if enginetest.MongoDB(t) {
		h.uri = mongotest.URI(t)
	}
	return h
}

// command makes a command of the program on the home.
func (h home) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, append(args, "--data", h.data)...)
	cmd.Env = append(os.Environ(), "USHER_STORE="+h.uri)
	return cmd
}

// server is a running "usher demo".
type server struct {
	Base  string `json:"scim_base"`
	Token string `json:"scim_token"`

	cmd    *exec.Cmd
	stderr bytes.Buffer
	ended  chan struct{} // closed when everything it printed was read
	killed sync.Once
}

// demo starts "usher demo --empty --json" with more flags and waits until it is ready.
func demo(t *testing.T, h home, flags ...string) *server {
	t.Helper()
	s := &server{ended: make(chan struct{})}
	s.cmd = h.command(t, append([]string{"demo", "--empty", "--json", "--addr", "127.0.0.1:0", "--store", h.uri}, flags...)...)
	s.cmd.Stderr = &s.stderr
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	line, err := lines.ReadBytes('\n')
	go func() {
		defer close(s.ended)
		io.Copy(io.Discard, lines)
	}()
	if err == nil {
		err = json.Unmarshal(line, s)
	}
	if err != nil {
		s.kill()
		t.Fatalf("the first line of the demo is %q: %v\n%s", line, err, &s.stderr)
	}
	if h.uri != "" {
		mongotest.Dump(t, h.uri) // which fails when the records are elsewhere
	}
	return s
}

// stop ends the server as a person would and checks that it leaves in order.
func (s *server) stop(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Errorf("interrupt: %v", err)
	}
	stuck := time.AfterFunc(30*time.Second, func() { s.cmd.Process.Kill() })
	defer stuck.Stop()
	<-s.ended
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("the server ended with %v\n%s", err, &s.stderr)
	}
}

// kill ends the server at once, as a crash would.
func (s *server) kill() {
	s.killed.Do(func() {
		s.cmd.Process.Kill()
		<-s.ended
		s.cmd.Wait()
	})
}

// call sends one request and decodes the answer's body into out, which may be nil.
func (s *server) call(ctx context.Context, method, path, body string, out any) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, method, s.Base+path, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+s.Token)
	req.Header.Set("Content-Type", "application/scim+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	if out != nil && resp.StatusCode < 300 {
		if err := json.Unmarshal(b, out); err != nil {
			return 0, fmt.Errorf("%s %s: %w: %s", method, path, err, b)
		}
	}
	return resp.StatusCode, nil
}
