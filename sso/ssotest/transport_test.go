package ssotest_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"usher/sso/ssotest"
)

func ask(t *testing.T, h http.HandlerFunc) (*http.Response, error) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	check(t, err)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err == nil {
		t.Cleanup(func() { answer.Body.Close() })
	}
	return answer, err
}

func TestTransport_answers(t *testing.T) {
	canary := ssotest.Canary(t)
	answer, err := ask(t, ssotest.Redirect(http.StatusTemporaryRedirect, canary.URL+"/x"))
	check(t, err)
	same(t, "redirect", answer.StatusCode, 307)
	same(t, "location", answer.Header.Get("Location"), canary.URL+"/x")

	answer, err = ask(t, ssotest.HTML())
	check(t, err)
	same(t, "type", answer.Header.Get("Content-Type"), "text/html; charset=utf-8")

	const size = 3 << 20
	for name, h := range map[string]http.HandlerFunc{
		"huge":   ssotest.Huge(size),
		"bomb":   ssotest.GzipBomb(size),
		"padded": ssotest.Padded(ssotest.Body(http.StatusOK, "application/json", `{"pad":"x"}`), size),
	} {
		answer, err = ask(t, h)
		check(t, err)
		body, err := io.ReadAll(answer.Body)
		check(t, err)
		var doc struct{ Pad string }
		if err := json.Unmarshal(body, &doc); err != nil || len(body) < size || doc.Pad == "" {
			t.Errorf("%s: %d bytes, %v", name, len(body), err)
		}
		same(t, name+" was unpacked", answer.Uncompressed, name == "bomb")
	}
	if _, err = ask(t, ssotest.Abort()); err == nil {
		t.Error("an answer after abort")
	}
}

func TestTransport_slow(t *testing.T) {
	release := make(chan struct{})
	time.AfterFunc(10*time.Millisecond, func() { close(release) })
	answer, err := ask(t, ssotest.Hang(release))
	check(t, err)
	same(t, "status", answer.StatusCode, http.StatusOK)

	answer, err = ask(t, ssotest.Drip(time.Millisecond))
	check(t, err)
	b := make([]byte, 5)
	_, err = io.ReadFull(answer.Body, b)
	check(t, err)
	same(t, "drops", strings.TrimSpace(string(b)), "")
	answer.Body.Close()

	p := ssotest.New(t) // its end must not wait for those that hang
	p.Serve("token", ssotest.Hang(nil))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		r, _ := http.NewRequestWithContext(ctx, http.MethodPost, p.URL("token"), strings.NewReader("a=b"))
		_, err := http.DefaultClient.Do(r)
		done <- err
	}()
	for p.Hits("token") == 0 {
		time.Sleep(time.Millisecond)
	}
	started := time.Now()
	p.Stop()
	if <-done == nil || time.Since(started) > time.Second {
		t.Errorf("stopped after %v", time.Since(started))
	}
	cancel()
}

func TestCanary(t *testing.T) {
	e := &ear{TB: t}
	s := ssotest.Canary(e)
	answer, err := http.Get(s.URL)
	check(t, err)
	answer.Body.Close()
	e.mu.Lock()
	defer e.mu.Unlock()
	same(t, "complaints", len(e.said), 2) // of the connection and of the request
}
