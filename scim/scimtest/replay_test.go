package scimtest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLoad(t *testing.T) {
	traces, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	steps, adapted := 0, 0
	for _, trace := range traces {
		steps += len(trace.Steps)
		if trace.Adapt != "" {
			adapted++
		}
	}
	if len(traces) != 53 || steps != 316 || adapted != 1 {
		t.Errorf("%d traces with %d steps, %d of them adapted; want 53, 316, 1", len(traces), steps, adapted)
	}
}

func mustParse(t *testing.T, steps string) Trace {
	t.Helper()
	trace, err := Parse([]byte(`{"trace":"sample","vars":{"name":"ada.${run}","again":"${name}!"},"steps":[` + steps + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	return trace
}

func TestReplay_Request(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, hasAgent := r.Header["User-Agent"]
		got = append(got, fmt.Sprintf("%s %s auth=%q accept=%q type=%q agent=%v %s", r.Method, r.RequestURI,
			r.Header.Get("Authorization"), r.Header.Get("Accept"), r.Header.Get("Content-Type"), hasAgent, body))
		io.WriteString(w, `{"id":"u-1"}`)
	}))
	defer server.Close()
	trace := mustParse(t, `
		{"name":"plain","request":{"method":"GET","path":"//Users/x%2Fy/"},"expect":{"status":200},"capture":{"uid":"id"}},
		{"name":"headers","request":{"method":"GET","path":"/Users?q=${uid|url}","headers":{"Authorization":null,"accept":null,"User-Agent":null}},"expect":{"status":200}},
		{"name":"body","request":{"method":"POST","path":"/Users","headers":{"Content-Type":"application/json","User-Agent":""},"body":{"id":"${uid}"}},"expect":{"status":[201,200]}},
		{"name":"text","request":{"method":"PUT","path":"/Users/${uid}","body":"a text"},"expect":{"status":200}}`)
	client := Client{BaseURL: server.URL + "/scim/v2/", Token: "secret"}
	if err := client.Replay(t.Context(), trace); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`GET /scim/v2//Users/x%2Fy/ auth="Bearer secret" accept="application/scim+json" type="" agent=true `,
		`GET /scim/v2/Users?q=u-1 auth="" accept="" type="" agent=false `,
		`POST /scim/v2/Users auth="Bearer secret" accept="application/scim+json" type="application/json" agent=false {"id":"u-1"}`,
		`PUT /scim/v2/Users/u-1 auth="Bearer secret" accept="application/scim+json" type="application/scim+json; charset=utf-8" agent=true "a text"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestReplay_Variables(t *testing.T) {
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = append(seen, r.URL.Path) }))
	defer server.Close()
	trace := mustParse(t, `{"name":"a","request":{"method":"GET","path":"/${again}"},"expect":{"status":200}}`)
	client := Client{BaseURL: server.URL}
	for range 2 {
		if err := client.Replay(t.Context(), trace); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range seen {
		if !strings.HasPrefix(path, "/ada.") || !strings.HasSuffix(path, "!") {
			t.Errorf("path %q", path)
		}
	}
	if len(seen) != 2 || seen[0] == seen[1] {
		t.Errorf("two replays sent %q, want two different runs", seen)
	}
}

func TestReplay_Failure(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/fine", http.StatusTemporaryRedirect)
		case "/empty":
		case "/gone":
			w.WriteHeader(http.StatusNoContent)
		case "/text":
			io.WriteString(w, "hello")
		default:
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"id":"1"}`)
		}
	}))
	defer server.Close()
	tests := []struct {
		name, step string
		fails      string // part of the message; empty: it passes
	}{
		{"status", `"request":{"method":"GET","path":"/fine"},"expect":{"status":[201,204]}`, `expected status 201 or 204, got 200: {"id":"1"}`},
		{"body", `"request":{"method":"GET","path":"/fine"},"expect":{"status":200,"body":{"id":"2"}}`, `id: expected "2", got "1"`},
		{"header", `"request":{"method":"GET","path":"/fine"},"expect":{"status":200,"headers":{"Content-Type":"@re:scim"}}`, `header Content-Type: expected "@re:scim", got "application/json"`},
		{"no such header", `"request":{"method":"GET","path":"/fine"},"expect":{"status":200,"headers":{"ETag":"@any"}}`, `header ETag: expected "@any", got nothing`},
		{"redirect", `"request":{"method":"GET","path":"/moved"},"expect":{"status":[200,307]}`, "redirected with 307 to /fine"},
		{"empty body", `"request":{"method":"GET","path":"/empty"},"expect":{"status":200,"body":{"id":"1"}}`, "got none"},
		{"not JSON", `"request":{"method":"GET","path":"/text"},"expect":{"status":200,"body":{}}`, "the body is not JSON"},
		{"no body with 204", `"request":{"method":"GET","path":"/gone"},"expect":{"status":204,"body":{"id":"1"}}`, ""},
		{"capture", `"request":{"method":"GET","path":"/fine"},"expect":{"status":200},"capture":{"x":"name"}`, `there is no "name"`},
		{"unset variable", `"request":{"method":"GET","path":"/${nobody}"},"expect":{"status":200}`, `the variable "nobody" is not set`},
	}
	client := Client{BaseURL: server.URL, HTTP: server.Client()}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := client.Replay(t.Context(), mustParse(t, `{"name":"the step",`+tt.step+`}`))
			if tt.fails == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var step *StepError
			if !errors.As(err, &step) || step.Trace != "sample" || step.Step != "the step" || step.Number != 1 {
				t.Fatalf("error %v, want a StepError that names trace and step", err)
			}
			if !strings.Contains(err.Error(), tt.fails) {
				t.Errorf("message %q lacks %q", err, tt.fails)
			}
		})
	}
}

func TestParse_Refuses(t *testing.T) {
	for name, text := range map[string]string{
		"unknown member": `{"trace":"t","stps":[],"steps":[{"request":{"method":"GET","path":"/"},"expect":{"status":200}}]}`,
		"no steps":       `{"trace":"t","steps":[]}`,
		"no status":      `{"trace":"t","steps":[{"request":{"method":"GET","path":"/"},"expect":{}}]}`,
		"vars as a list": `{"trace":"t","vars":[],"steps":[{"request":{"method":"GET","path":"/"},"expect":{"status":200}}]}`,
	} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
