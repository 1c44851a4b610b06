package adminapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/licensing"
)

// repeat sends a request with an idempotency key over the network.
func (d *desk) repeat(key, idempotency, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set(idempotencyHeader, idempotency)
	rec := httptest.NewRecorder()
	d.outside.ServeHTTP(rec, r)
	return rec
}

func TestIdempotency(t *testing.T) {
	d := newDesk(t)
	d.acme(t)
	key := func(admin string) string {
		t.Helper()
		made, err := d.CreateKey(t.Context(), "acme", NewKey{Admin: admin})
		if err != nil {
			t.Fatal(err)
		}
		return made.Secret
	}
	if _, err := d.PutAdmin(t.Context(), "acme", "rob", AdminChange{Role: licensing.RoleSuperAdmin}); err != nil {
		t.Fatal(err)
	}
	root, rob := key("root"), key("rob")
	const path, body = "/v1/companies/acme/tokens", `{"connection":"okta"}`
	first := d.repeat(root, "k-1", http.MethodPost, path, body)
	again := d.repeat(root, "k-1", http.MethodPost, path, body)
	if first.Code != http.StatusCreated || again.Code != http.StatusCreated || first.Body.String() != again.Body.String() ||
		first.Header().Get(replayedHeader) != "" || again.Header().Get(replayedHeader) != "true" {
		t.Errorf("first %d %s, again %d %s %q", first.Code, first.Body, again.Code, again.Body, again.Header().Get(replayedHeader))
	}
	var made CreatedToken
	if err := json.Unmarshal(first.Body.Bytes(), &made); err != nil {
		t.Fatal(err)
	}
	d.absent(t, made.Secret) // although its answer is kept
	tokens := func(want int) {
		t.Helper()
		all, err := d.Tokens(t.Context(), "acme")
		if err != nil || len(all) != want {
			t.Errorf("%d tokens, %v, want %d", len(all), err, want)
		}
	}
	tokens(1)
	if rec := d.repeat(root, "k-1", http.MethodPost, path, `{"connection":"entra"}`); rec.Code != http.StatusUnprocessableEntity {
		t.Errorf("the same key for another request: %d %s", rec.Code, rec.Body)
	}
	d.repeat(rob, "k-1", http.MethodPost, path, body) // another's key is another key
	d.repeat(root, "k-2", http.MethodPost, path, body)
	tokens(3)
	if rec := d.repeat(root, strings.Repeat("k", maxIdempotency+1), http.MethodPost, path, body); rec.Code != http.StatusBadRequest {
		t.Errorf("a long key: %d", rec.Code)
	}
	// What is refused is refused again, in the same words.
	wrong := `{"group":"nobody's","license":"ringex"}`
	a, b := d.repeat(root, "k-3", http.MethodPost, "/v1/companies/acme/rules", wrong), d.repeat(root, "k-3", http.MethodPost, "/v1/companies/acme/rules", wrong)
	if a.Code != http.StatusNotFound || b.Code != a.Code || a.Body.String() != b.Body.String() || b.Header().Get("Content-Type") != problemType {
		t.Errorf("refused: %d %s, again %d %s %s", a.Code, a.Body, b.Code, b.Body, b.Header())
	}
	d.now = d.now.Add(repeatableFor + time.Minute)
	if err := d.handler.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.repeat(root, "k-1", http.MethodPost, path, body)
	tokens(4)

	// Of many at a time one is carried out; the others hear its answer, or that it is not finished.
	var together sync.WaitGroup
	for range 8 {
		together.Go(func() {
			if rec := d.repeat(root, "k-4", http.MethodPost, path, body); rec.Code != http.StatusCreated && rec.Code != http.StatusConflict {
				t.Errorf("at a time: %d %s", rec.Code, rec.Body)
			}
		})
	}
	together.Wait()
	tokens(5)
}

// failing is a directory that fails once.
type failing struct {
	Directory
	failed bool
}

func (f *failing) Apply(ctx context.Context, c licensing.Change) (licensing.Result, error) {
	if !f.failed {
		f.failed = true
		return licensing.Result{}, errors.New("the disk is full")
	}
	return f.Directory.Apply(ctx, c)
}

// TestIdempotency_failure has a request fail on the server's side: it can be tried again with the same key.
func TestIdempotency_failure(t *testing.T) {
	d := newDesk(t)
	d.acme(t)
	made, err := d.CreateKey(t.Context(), "acme", NewKey{Admin: "root"})
	if err != nil {
		t.Fatal(err)
	}
	d.handler.directory = &failing{Directory: d.handler.directory}
	const body = `{"domain":"acme.example","license":"ringex"}`
	if rec := d.repeat(made.Secret, "k", http.MethodPost, "/v1/companies/acme/rules", body); rec.Code != http.StatusInternalServerError || strings.Contains(rec.Body.String(), "disk") {
		t.Errorf("first: %d %s", rec.Code, rec.Body)
	}
	if rec := d.repeat(made.Secret, "k", http.MethodPost, "/v1/companies/acme/rules", body); rec.Code != http.StatusCreated {
		t.Errorf("again: %d %s", rec.Code, rec.Body)
	}
}

// hangingUp is a directory whose client hangs up after the first change.
type hangingUp struct {
	Directory
	hangUp func()
}

func (h *hangingUp) Apply(ctx context.Context, c licensing.Change) (licensing.Result, error) {
	if err := ctx.Err(); err != nil {
		return licensing.Result{}, err
	}
	r, err := h.Directory.Apply(ctx, c)
	h.hangUp()
	return r, err
}

// TestIdempotency_hangUp has a client go away half-way: the request is carried out to the end, and repeating it says so.
func TestIdempotency_hangUp(t *testing.T) {
	d := newDesk(t)
	d.acme(t)
	made, err := d.CreateKey(t.Context(), "acme", NewKey{Admin: "root"})
	if err != nil {
		t.Fatal(err)
	}
	const path, body = "/v1/companies/acme/accounts", `{"setup":"later","people":[{"email":"a@acme.example"},{"email":"b@acme.example"},{"email":"c@acme.example"}]}`
	ctx, hangUp := context.WithCancel(t.Context())
	d.handler.directory = &hangingUp{d.handler.directory, hangUp}
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+made.Secret)
	r.Header.Set(idempotencyHeader, "k")
	d.outside.ServeHTTP(httptest.NewRecorder(), r)
	var out AddedPeople
	rec := d.repeat(made.Secret, "k", http.MethodPost, path, body)
	if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil || out.Added != 3 || rec.Header().Get(replayedHeader) != "true" {
		t.Errorf("repeated: %d %s, %v", rec.Code, rec.Body, err)
	}
}

func TestBodies(t *testing.T) {
	d := newDesk(t)
	d.acme(t)
	made, err := d.CreateKey(t.Context(), "acme", NewKey{Admin: "root"})
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]int{
		`{"connection":"okta"} {"connection":"entra"}`: http.StatusBadRequest,
		`{"connection":"okta"}x`:                       http.StatusBadRequest,
		`{"conection":"okta"}`:                         http.StatusBadRequest,
		``:                                             http.StatusBadRequest,
		`{"connection":"okta"}` + strings.Repeat(" ", maxBody): http.StatusRequestEntityTooLarge,
	} {
		for _, key := range []string{"", "k"} {
			r := httptest.NewRequest(http.MethodPost, "/v1/companies/acme/tokens", strings.NewReader(body))
			r.Header.Set("Authorization", "Bearer "+made.Secret)
			if key != "" {
				r.Header.Set(idempotencyHeader, key+strconv.Itoa(len(body)))
			}
			rec := httptest.NewRecorder()
			d.outside.ServeHTTP(rec, r)
			if rec.Code != want {
				t.Errorf("%.40q: %d %s, want %d", body, rec.Code, rec.Body, want)
			}
		}
	}
}

func TestEvents(t *testing.T) {
	d := newDesk(t)
	d.acme(t)
	for range 3 {
		if _, err := d.CreateKey(t.Context(), "acme", NewKey{Admin: "root"}); err != nil {
			t.Fatal(err)
		}
	}
	var actions []string
	f := EventFilter{Limit: 2}
	for {
		page, err := d.Events(t.Context(), "acme", f)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Items {
			actions = append(actions, e.Action+" by "+e.By)
		}
		if f.After = page.Next; f.After == "" {
			break
		}
	}
	if got, want := strings.Join(actions, ", "), "company.create by olga"+strings.Repeat(", admin.key-create by olga", 3); got != want {
		t.Errorf("events %s, want %s", got, want)
	}
	_, err := d.Events(t.Context(), "acme", EventFilter{After: "x"})
	wantProblem(t, "a place that is none", err, http.StatusBadRequest)
}

func TestCeilingAndSchema(t *testing.T) {
	d := newDesk(t)
	d.acme(t)
	ctx := t.Context()
	if l, err := d.SetCeiling(ctx, "acme", "ringex", 9); err != nil || l.Ceiling != 9 {
		t.Errorf("ceiling: %+v, %v", l, err)
	}
	const urn = "urn:acme:User"
	doc := `{"id":"` + urn + `","name":"Acme","attributes":[{"name":"badge","type":"string"}]}`
	if s, err := d.PutSchema(ctx, "acme", "User", json.RawMessage(doc)); err != nil || s.URN != urn || s.Attributes != 1 {
		t.Errorf("declared: %+v, %v", s, err)
	}
	// A person whom an admin adds has it too.
	if _, err := d.AddPeople(ctx, "acme", NewPeople{Setup: "later", People: []NewPerson{{Email: "ada@acme.example", Attributes: map[string]any{urn: map[string]any{"badge": "7"}}}}}); err != nil {
		t.Error(err)
	}
	wantProblem(t, "a schema in use", d.RemoveSchema(ctx, "acme", urn), http.StatusConflict)
	if err := d.DeleteAccount(ctx, "acme", "ada@acme.example"); err != nil {
		t.Fatal(err)
	}
	if err := d.RemoveSchema(ctx, "acme", urn); err != nil {
		t.Error(err)
	}
}
