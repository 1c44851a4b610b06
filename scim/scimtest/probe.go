package scimtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// probe is one requirement being checked against a server: it sends requests, remembers them for the report, and takes away what it made.
type probe struct {
	ctx    context.Context
	config Config
	run    string // in all names that the run makes
	number *atomic.Int64
	log    []Exchange
	undo   []string // paths to delete
}

// Exchange is one request with its answer, without credentials.
type Exchange struct {
	Request string `json:"request"`
	Body    string `json:"body,omitempty"`
	Status  int    `json:"status"`
	Answer  string `json:"answer,omitempty"`
	Headers string `json:"headers,omitempty"`
}

// stopped ends a check: it has failed, or cannot be made.
type stopped struct {
	skipped bool
	detail  string
}

// failf ends the check as failed.
func (p *probe) failf(format string, args ...any) {
	panic(stopped{detail: fmt.Sprintf(format, args...)})
}

// skipf ends the check because the server does not have what it is about.
func (p *probe) skipf(format string, args ...any) {
	panic(stopped{skipped: true, detail: fmt.Sprintf(format, args...)})
}

// must fails the check unless a condition holds.
func (p *probe) must(holds bool, format string, args ...any) {
	if !holds {
		p.failf(format, args...)
	}
}

// same fails the check unless two values print the same.
func (p *probe) same(what string, got, want any) {
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		p.failf("%s is %s, want %s", what, g, w)
	}
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	raw    []byte
	body   any
	proto  *http.Response
}

// at gives a value in the body by the names and numbers on the way to it; nil when there is none.
func (a *reply) at(path ...any) any { return valueAt(a.body, path...) }

func valueAt(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			object, _ := v.(map[string]any)
			v = object[step]
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				return nil
			}
			v = list[step]
		}
	}
	return v
}

// text gives a string in the body; empty when there is none.
func (a *reply) text(path ...any) string {
	s, _ := a.at(path...).(string)
	return s
}

// list gives a list in the body.
func (a *reply) list(path ...any) []any {
	l, _ := a.at(path...).([]any)
	return l
}

func (a *reply) id() string { return a.text("id") }

// total is the totalResults of a list, -1 when it has none.
func (a *reply) total() int {
	n, ok := a.at("totalResults").(json.Number)
	if !ok {
		return -1
	}
	i, err := n.Int64()
	if err != nil {
		return -1
	}
	return int(i)
}

// names gives an attribute of each resource on a page.
func (a *reply) names(attribute string) []string {
	var all []string
	for i := range a.list("Resources") {
		all = append(all, fmt.Sprint(a.at("Resources", i, attribute)))
	}
	return all
}

// send sends a request; header is pairs of name and value, and a value of "-" leaves the header field out.
func (p *probe) send(method, path, body string, header ...string) *reply {
	target := path
	if !strings.HasPrefix(path, "http") {
		target = p.config.Base + path
	}
	var reader io.Reader = http.NoBody
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(p.ctx, method, target, reader)
	if err != nil {
		p.failf("%s %s: %v", method, path, err)
	}
	r.Header.Set("Authorization", "Bearer "+p.config.Token)
	if body != "" {
		r.Header.Set("Content-Type", "application/scim+json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if r.Header.Set(header[i], header[i+1]); header[i+1] == "-" {
			r.Header.Del(header[i])
		}
	}
	resp, err := p.config.Client.Do(r)
	if err != nil {
		p.log = append(p.log, Exchange{Request: method + " " + path, Body: body, Answer: err.Error()})
		p.failf("%s %s was not answered: %v", method, path, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	a := &reply{status: resp.StatusCode, header: resp.Header, raw: raw, proto: resp}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if len(raw) > 0 {
		_ = d.Decode(&a.body) // what is no JSON has no values
	}
	p.log = append(p.log, Exchange{Request: method + " " + path, Body: body, Status: a.status, Answer: string(raw), Headers: shownHeaders(resp.Header)})
	if err != nil {
		p.failf("%s %s: the answer broke off: %v", method, path, err)
	}
	return a
}

func shownHeaders(h http.Header) string {
	var shown []string
	for _, name := range []string{"Content-Type", "Location", "Content-Location", "Etag", "Www-Authenticate", "Allow", "Retry-After"} {
		if v := h.Get(name); v != "" {
			shown = append(shown, name+": "+v)
		}
	}
	return strings.Join(shown, "; ")
}

// want sends a request and fails unless the answer has the status.
func (p *probe) want(status int, method, path, body string, header ...string) *reply {
	a := p.send(method, path, body, header...)
	if a.status != status {
		p.failf("%s %s was answered with %d, want %d", method, path, a.status, status)
	}
	return a
}

// refused sends a request that must be refused with the status and scimType; an empty scimType is not looked at.
func (p *probe) refused(status int, scimType, method, path, body string, header ...string) *reply {
	a := p.want(status, method, path, body, header...)
	if scimType != "" && a.text("scimType") != scimType {
		p.failf("%s %s was refused with the scimType %q, want %q", method, path, a.text("scimType"), scimType)
	}
	p.same("status in the error", a.at("status"), fmt.Sprint(status))
	return a
}

func (p *probe) get(path string) *reply { return p.want(200, "GET", path, "") }

// find lists an endpoint with a filter.
func (p *probe) find(endpoint, filter string) *reply {
	return p.get(endpoint + "?filter=" + url.QueryEscape(filter))
}

// count says how many people of the run match a filter.
func (p *probe) count(filter string) int { return p.find("/Users", filter).total() }

// name makes a name that nobody has.
func (p *probe) name(what string) string {
	return fmt.Sprintf("%s-%s-%d", what, p.run, p.number.Add(1))
}

const (
	coreUser   = "urn:ietf:params:scim:schemas:core:2.0:User"
	coreGroup  = "urn:ietf:params:scim:schemas:core:2.0:Group"
	enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	messages   = "urn:ietf:params:scim:api:messages:2.0:"
)

// userBody is a User with a name of its own; more is further members, without a comma before them.
func (p *probe) userBody(name, more string) string {
	schemas := `"` + coreUser + `"`
	if strings.Contains(more, enterprise) {
		schemas += `,"` + enterprise + `"`
	}
	if more != "" {
		more = "," + more
	}
	return fmt.Sprintf(`{"schemas":[%s],"userName":%q%s}`, schemas, name, more)
}

// user creates a User who is deleted when the check ends.
func (p *probe) user(more string) *reply { return p.create("/Users", p.userBody(p.name("user"), more)) }

// group creates a Group with members.
func (p *probe) group(ids ...string) *reply {
	return p.create("/Groups", fmt.Sprintf(`{"schemas":[%q],"displayName":%q,"members":[%s]}`, coreGroup, p.name("group"), members(ids...)))
}

func members(ids ...string) string {
	var all []string
	for _, id := range ids {
		all = append(all, fmt.Sprintf(`{"value":%q}`, id))
	}
	return strings.Join(all, ",")
}

func (p *probe) create(endpoint, body string) *reply {
	a := p.send("POST", endpoint, body)
	if id := a.id(); id != "" {
		p.undo = append(p.undo, endpoint+"/"+id)
	}
	if a.status != 201 {
		p.failf("POST %s was answered with %d, want 201", endpoint, a.status)
	}
	return a
}

// patchBody is a PATCH of some operations.
func patchBody(operations ...string) string {
	return `{"schemas":["` + messages + `PatchOp"],"Operations":[` + strings.Join(operations, ",") + `]}`
}

// change patches a User and gives it as it is then.
func (p *probe) change(id string, operations ...string) *reply {
	if a := p.send("PATCH", "/Users/"+id, patchBody(operations...)); a.status != 200 && a.status != 204 {
		p.failf("PATCH was answered with %d", a.status)
	}
	return p.get("/Users/" + id)
}

// refusePatch patches a User, which must be refused and change nothing.
func (p *probe) refusePatch(id, scimType string, operations ...string) {
	before := p.get("/Users/" + id)
	p.refused(400, scimType, "PATCH", "/Users/"+id, patchBody(operations...))
	after := p.get("/Users/" + id)
	p.same("the User after a refused PATCH", string(after.raw), string(before.raw))
}

// feature skips the check unless the server announces a feature.
func (p *probe) feature(path ...any) {
	if supported, _ := p.get("/ServiceProviderConfig").at(path...).(bool); !supported {
		p.skipf("the server does not announce %v", path)
	}
}

// clean deletes what the check has made.
func (p *probe) clean() {
	slices.Reverse(p.undo)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), 30*time.Second)
	defer cancel()
	for _, path := range p.undo {
		r, err := http.NewRequestWithContext(ctx, "DELETE", p.config.Base+path, nil)
		if err != nil {
			continue
		}
		r.Header.Set("Authorization", "Bearer "+p.config.Token)
		if resp, err := p.config.Client.Do(r); err == nil {
			resp.Body.Close()
		}
	}
}

// newRun makes what tells the names of one run from those of others.
func newRun() string {
	var b [4]byte
	rand.Read(b[:]) //nolint:errcheck // it does not fail
	return hex.EncodeToString(b[:])
}
