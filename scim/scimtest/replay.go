package scimtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// maxAnswer is the most that is read of an answer, in bytes.
const maxAnswer = 32 << 20

// Client replays traces against one server. It is safe for concurrent use.
type Client struct {
	BaseURL string // address of the SCIM endpoint, "https://host/scim/v2"
	Token   string // sent as a bearer token
	// HTTP sends the requests; nil means a client with the default transport. Redirects are never followed.
	HTTP *http.Client
}

// StepError says which step of which trace got the wrong answer, and what was wrong about it.
type StepError struct {
	Trace  string
	Number int // from 1
	Step   string
	Method string
	Path   string
	Err    error
}

func (e *StepError) Error() string {
	return fmt.Sprintf("trace %s, step %d (%s), %s %s: %v", e.Trace, e.Number, e.Step, e.Method, e.Path, e.Err)
}

func (e *StepError) Unwrap() error { return e.Err }

// Replay plays the trace step by step. The first step that does not get what it expects ends it with a *StepError.
func (c *Client) Replay(ctx context.Context, t Trace) error {
	var id [5]byte
	rand.Read(id[:])
	sc := newScope(hex.EncodeToString(id[:]))
	for _, v := range t.Vars {
		value, err := sc.value(v.Value)
		if err != nil {
			return fmt.Errorf("trace %s, variable %s: %w", t.Name, v.Name, err)
		}
		sc.values[v.Name] = value
	}
	for i, step := range t.Steps {
		if err := c.step(ctx, sc, step); err != nil {
			return &StepError{
				Trace: t.Name, Number: i + 1, Step: step.Name, Method: step.Request.Method, Path: step.Request.Path, Err: err,
			}
		}
	}
	return nil
}

// answer is a reply that was read in full.
type answer struct {
	status int
	header http.Header
	raw    []byte
}

func (c *Client) step(ctx context.Context, sc *scope, s Step) error {
	req, err := c.request(ctx, sc, s.Request)
	if err != nil {
		return err
	}
	a, err := c.send(req)
	if err != nil {
		return err
	}
	if err := check(sc, s.Expect, a); err != nil {
		return err
	}
	if len(s.Capture) == 0 {
		return nil
	}
	body, err := decode(a.raw)
	if err != nil {
		return fmt.Errorf("the body is not JSON: %w: %s", err, shorten(string(a.raw)))
	}
	for name, path := range s.Capture {
		value, err := at(body, path)
		if err != nil {
			return fmt.Errorf("capture %s: %w", name, err)
		}
		sc.values[name] = value
	}
	return nil
}

func (c *Client) request(ctx context.Context, sc *scope, r Request) (*http.Request, error) {
	path, err := sc.text(r.Path)
	if err != nil {
		return nil, err
	}
	var body io.Reader = http.NoBody
	if r.Body != nil {
		value, err := sc.json(r.Body)
		if err != nil {
			return nil, err
		}
		b, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, strings.TrimSuffix(c.BaseURL, "/")+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	req.Header.Set("Accept", "application/scim+json")
	if r.Body != nil {
		req.Header.Set("Content-Type", "application/scim+json; charset=utf-8")
	}
	for name, value := range r.Headers {
		switch {
		case value != nil:
			text, err := sc.text(*value)
			if err != nil {
				return nil, err
			}
			req.Header.Set(name, text)
		case http.CanonicalHeaderKey(name) == "User-Agent":
			// Deleting it makes net/http send its own name.
			req.Header.Set(name, "")
		default:
			req.Header.Del(name)
		}
	}
	return req, nil
}

func (c *Client) send(req *http.Request) (answer, error) {
	client := http.Client{}
	if c.HTTP != nil {
		client = *c.HTTP
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return answer{}, fmt.Errorf("read answer: %w", err)
	}
	if to := resp.Header.Get("Location"); resp.StatusCode/100 == 3 && to != "" {
		return answer{}, fmt.Errorf("redirected with %d to %s", resp.StatusCode, to)
	}
	return answer{status: resp.StatusCode, header: resp.Header, raw: b}, nil
}

// check compares an answer with what was expected of it.
func check(sc *scope, want Expect, got answer) error {
	if !slices.Contains(want.Status, got.status) {
		return fmt.Errorf("expected status %s, got %d: %s", statuses(want.Status), got.status, shorten(string(got.raw)))
	}
	for name, text := range want.Headers {
		w, err := sc.text(text)
		if err != nil {
			return err
		}
		var actual any = missing{}
		if v := got.header.Values(name); len(v) > 0 {
			actual = strings.Join(v, ", ")
		}
		if err := match("header "+name, w, actual); err != nil {
			return err
		}
	}
	if want.Body == nil || got.status == http.StatusNoContent {
		return nil
	}
	w, err := sc.json(want.Body)
	if err != nil {
		return err
	}
	body, err := decode(got.raw)
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("expected the body %s, got none", show(w))
	}
	if err != nil {
		return fmt.Errorf("the body is not JSON: %w: %s", err, shorten(string(got.raw)))
	}
	if err := match("", w, body); err != nil {
		return fmt.Errorf("%w\n  in the answer %s", err, shorten(string(got.raw)))
	}
	return nil
}

func statuses(s Statuses) string {
	texts := make([]string, len(s))
	for i, n := range s {
		texts[i] = fmt.Sprint(n)
	}
	return strings.Join(texts, " or ")
}
