package ssotest

import (
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// These are ways to answer an HTTP request badly, each for [IdP.Serve] or a server of its own.

// Redirect sends the client elsewhere; 307 and 308 ask it to take the body along.
func Redirect(status int, to string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(status)
	}
}

// Status answers a status with nothing else.
func Status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// Body answers with the text as it is.
func Body(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// HTML answers 200 with a page, as a captive portal or a proxy does.
func HTML() http.HandlerFunc {
	return Body(http.StatusOK, "text/html; charset=utf-8", "<!doctype html><title>Welcome</title><script>alert(1)</script><p>Please sign in to the network.")
}

// Hang answers nothing until release is closed or the client gives up. A nil release never lets go.
func Hang(release <-chan struct{}) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}
}

// Abort breaks the connection instead of an answer.
func Abort() http.HandlerFunc {
	return func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
}

// Drip answers 200 and then one byte at a time for ever. The bytes are white space, which JSON may begin with.
func Drip(interval time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			if _, err := io.WriteString(w, " "); err != nil {
				return
			}
			if err := http.NewResponseController(w).Flush(); err != nil {
				return
			}
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
	}
}

const padStart, padEnd = `{"pad":"`, `"}`

// Huge answers with a JSON object of at least so many bytes.
func Huge(size int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, padStart)
		fill(w, 'a', size)
		io.WriteString(w, padEnd)
	}
}

// Padded gives what another handler answers, after so many bytes of white space: the right document, but too large. The space comes
// first so that whoever cuts the body off does not read the document by accident.
func Padded(h http.HandlerFunc, size int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		h(answer, r)
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.Header().Del("Content-Length")
		w.WriteHeader(answer.Code)
		fill(w, ' ', size)
		w.Write(answer.Body.Bytes())
	}
}

// GzipBomb answers with a JSON object that is small on the wire and at least so many bytes when unpacked.
func GzipBomb(size int) http.HandlerFunc {
	const block = 1 << 20
	start, pad, end := packed(padStart), packed(strings.Repeat("a", block)), packed(padEnd)
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(start)
		for n := 0; n < size; n += block { // gzip files one after the other are one file
			if _, err := w.Write(pad); err != nil {
				return
			}
		}
		w.Write(end)
	}
}

// Canary is a server that fails the test when anybody connects to it: a target for redirects, jku, x5u and the like.
func Canary(t testing.TB) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the canary got %s %s from %q", r.Method, r.URL, r.UserAgent())
	}))
	s.Config.ConnState = func(c net.Conn, state http.ConnState) { // a connection is too much already, and TLS would never become a request
		if state == http.StateNew {
			t.Errorf("the canary was connected to from %s", c.RemoteAddr())
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func packed(s string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, s) // a buffer takes everything
	w.Close()
	return b.Bytes()
}

// fill writes so many equal bytes, or fewer when the client has gone.
func fill(w io.Writer, c byte, size int) {
	block := bytes.Repeat([]byte{c}, min(size, 1<<16))
	for size > 0 {
		n, err := w.Write(block[:min(size, len(block))])
		if err != nil {
			return
		}
		size -= n
	}
}
