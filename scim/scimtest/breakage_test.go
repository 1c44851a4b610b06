package scimtest

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// breakage is something that a server does wrong, and the requirement whose check must find it.
type breakage struct {
	name, finds string
	request     func(r *http.Request)
	answer      func(r *http.Response, body string) string
}

// dropHeader loses a header field of answers.
func dropHeader(name string) func(*http.Response, string) string {
	return func(r *http.Response, body string) string {
		r.Header.Del(name)
		return body
	}
}

// rewrite changes the bodies of answers.
func rewrite(from, to string) func(*http.Response, string) string {
	re := regexp.MustCompile(from)
	return func(_ *http.Response, body string) string { return re.ReplaceAllString(body, to) }
}

// turn answers with another status.
func turn(from, to int) func(*http.Response, string) string {
	return func(r *http.Response, body string) string {
		if r.StatusCode == from {
			r.StatusCode, r.Status = to, ""
		}
		return body
	}
}

// without loses a query parameter.
func without(name string) func(*http.Request) {
	return func(r *http.Request) {
		q := r.URL.Query()
		q.Del(name)
		r.URL.RawQuery = q.Encode()
	}
}

// only does something to requests with the method.
func only(method string, do func(*http.Request)) func(*http.Request) {
	return func(r *http.Request) {
		if r.Method == method {
			do(r)
		}
	}
}

// edit changes the bodies of requests.
func edit(from, to string) func(*http.Request) {
	re := regexp.MustCompile(from)
	return func(r *http.Request) {
		if r.Body == nil {
			return
		}
		b, _ := io.ReadAll(r.Body)
		b = re.ReplaceAll(b, []byte(to))
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
		r.Header.Set("Content-Length", strconv.Itoa(len(b)))
	}
}

func breakages() []breakage {
	return []breakage{
		{"takes the token from the query", "R004", func(r *http.Request) {
			if token := r.URL.Query().Get("access_token"); token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
		}, nil},
		{"does not challenge", "R005", nil, dropHeader("WWW-Authenticate")},
		{"says invalid_token of no token", "R006", func(r *http.Request) {
			if r.Header.Get("Authorization") == "" {
				r.Header.Set("Authorization", "Bearer none")
			}
		}, nil},
		{"lets everybody in", "R010", nil, turn(401, 200)},
		{"hides the configuration", "R012", nil, func(r *http.Response, body string) string {
			if strings.HasSuffix(r.Request.URL.Path, "/ServiceProviderConfig") && r.Request.Header.Get("Authorization") == "" {
				r.StatusCode = 401
			}
			return body
		}},
		{"answers in plain JSON", "R022", nil, func(r *http.Response, body string) string {
			r.Header.Set("Content-Type", "application/json")
			return body
		}},
		{"forgets the schemas of lists", "R026", nil, rewrite(`"schemas":\["urn:ietf:params:scim:api:messages:2.0:ListResponse"\],`, "")},
		{"matches names with case", "R034", edit(`"USERNAME"`, `"x"`), nil},
		{"does not know URNs in capitals", "R036", func(r *http.Request) {
			r.URL.RawQuery = strings.ReplaceAll(r.URL.RawQuery, strings.ReplaceAll(strings.ToUpper(coreUser), ":", "%3A"), "urn%3Ax")
		}, nil},
		{"keeps what is null", "R038", edit(`"value":null`, `"value":"null"`), nil},
		{"lists extensions that are not there", "R043", nil, rewrite(`"schemas":\["`+coreUser+`"`, `"schemas":["`+coreUser+`","`+enterprise+`"`)},
		{"invents external ids", "R046", nil, rewrite(`"userName":`, `"externalId":"invented","userName":`)},
		{"is created at another time than changed", "R049", nil, rewrite(`"created":"20`, `"created":"19`)},
		{"has no Content-Location", "R050", nil, dropHeader("Content-Location")},
		{"has another ETag than version", "R051", nil, func(r *http.Response, body string) string {
			r.Header.Set("ETag", `W/"0"`)
			return body
		}},
		{"calls everything a Thing", "R052", nil, rewrite(`"resourceType":"User"`, `"resourceType":"Thing"`)},
		{"writes numbers with a fraction", "R053", nil, rewrite(`"totalResults":(\d+)`, `"totalResults":$1.0`)},
		{"echoes passwords", "R071", nil, rewrite(`"userName":`, `"password":"t0p-s3cret-Pass","userName":`)},
		{"loses Location", "R085", nil, dropHeader("Location")},
		{"takes names twice", "R089", nil, turn(409, 201)},
		{"does not find with 404", "R095", nil, func(r *http.Response, body string) string {
			if r.Request.URL.Query().Has("filter") && strings.Contains(body, `"totalResults":0,`) {
				r.StatusCode = 404
			}
			return body
		}},
		{"ignores filters", "R099", without("filter"), nil},
		{"says nothing of bad filters", "R102", nil, turn(400, 200)},
		{"does not sort", "R112", without("sortBy"), nil},
		{"sorts in one direction", "R113", without("sortOrder"), nil},
		{"counts from 0", "R115", nil, rewrite(`"startIndex":1`, `"startIndex":0`)},
		{"ignores count", "R116", without("count"), nil},
		{"ignores attributes", "R117", without("attributes"), nil},
		{"ignores attributes of a PATCH", "R143", only("PATCH", without("attributes")), nil},
		{"creates by PUT", "R126", nil, func(r *http.Response, body string) string {
			if r.Request.Method == "PUT" {
				return turn(404, 201)(r, body)
			}
			return body
		}},
		{"does only the first operation", "R139", edit(`\},\{"op":"(?s:.*)\}\]\}$`, `}]}`), nil},
		{"answers a deletion with a body", "R159", nil, func(r *http.Response, body string) string {
			if r.StatusCode == 204 {
				r.StatusCode = 200
			}
			return body
		}},
		{"forgets the bulkIds", "R169", nil, rewrite(`"bulkId":"[^"]*",?`, "")},
		{"goes on after failOnErrors", "R168", edit(`"failOnErrors":2,?`, ""), nil},
		{"writes the status of an error as a number", "R174", nil, rewrite(`"status":"(\d+)"`, `"status":$1`)},
		{"ignores If-Match", "R177", func(r *http.Request) { r.Header.Del("If-Match") }, nil},
		{"ignores If-None-Match", "R179", func(r *http.Request) { r.Header.Del("If-None-Match") }, nil},
		{"filters schemas", "R185", without("filter"), nil},
		{"ends a walk after a page", "R197", nil, rewrite(`"nextCursor":"[^"]*",`, "")},
		{"takes any cursor for the first", "R202", func(r *http.Request) {
			if q := r.URL.Query(); q.Has("cursor") {
				q.Set("cursor", "")
				r.URL.RawQuery = q.Encode()
			}
		}, nil},
		{"has no pages by cursor", "R195", without("cursor"), nil},
		{"lets a cursor go with another count", "R200", nil, rewrite(`invalidCount`, `invalidValue`)},
	}
}

// TestBreakages puts something wrong between the suite and the server: the check that is about it must fail.
func TestBreakages(t *testing.T) {
	s := demo(t, newHome(t))
	defer s.stop(t)
	target, err := url.Parse(s.Base)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range breakages() {
		t.Run(b.name, func(t *testing.T) {
			proxy := &httputil.ReverseProxy{ErrorLog: log.New(io.Discard, "", 0), Rewrite: func(r *httputil.ProxyRequest) {
				r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
				r.Out.Host = target.Host
				if b.request != nil {
					b.request(r.Out)
				}
			}, ModifyResponse: func(r *http.Response) error {
				if b.answer == nil {
					return nil
				}
				raw, err := io.ReadAll(r.Body)
				body := b.answer(r, string(raw))
				r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
				r.Header.Set("Content-Length", strconv.Itoa(len(body)))
				return err
			}}
			broken := httptest.NewServer(proxy)
			defer broken.Close()
			report, err := Run(t.Context(), Config{Base: broken.URL + target.Path, Token: s.Token, Only: []string{b.finds}})
			if err != nil {
				t.Fatal(err)
			}
			if r := report.Results[0]; r.Outcome != Failed {
				t.Errorf("%s is %s: %s", r.ID, r.Outcome, r.Detail)
			} else if strings.Contains(r.Detail, "itself failed") {
				t.Errorf("%s: %s", r.ID, r.Detail)
			}
		})
	}
}
