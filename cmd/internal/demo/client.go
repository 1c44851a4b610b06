package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// object is a JSON object as it is sent.
type object map[string]any

// refused is a request to which the server said no for a reason that is part of the story, such as a seat policy.
type refused struct{ detail string }

func (e *refused) Error() string { return e.detail }

// client speaks SCIM as one identity provider does.
type client struct {
	base  string
	token string
	agent string // User-Agent; empty: none is sent
}

// resource is what the demo reads of a User, Group or License.
type resource struct {
	ID          string    `json:"id"`
	UserName    string    `json:"userName"`
	DisplayName string    `json:"displayName"`
	Active      bool      `json:"active"`
	User        userState `json:"urn:ietf:params:scim:schemas:extension:usher:2.0:User"`
	Pool        pool      `json:"urn:ietf:params:scim:schemas:extension:usher:2.0:License"`
}

// userState is the read-only part of the extension of User.
type userState struct {
	Effective string   `json:"effectiveLicense"`
	State     string   `json:"licenseState"`
	Reason    string   `json:"licenseReason"`
	Sources   []string `json:"licenseSources"`
}

// pool is the extension of License.
type pool struct {
	Total   int `json:"total"`
	Used    int `json:"used"`
	Waiting int `json:"waiting"`
}

// listResponse is a page of resources (RFC 7644 section 3.4.2).
type listResponse struct {
	Total     int        `json:"totalResults"`
	Resources []resource `json:"Resources"`
}

// find lists what matches a filter.
func (c client) find(ctx context.Context, endpoint, filter string, more url.Values) ([]resource, error) {
	query := url.Values{}
	for name, values := range more {
		query[name] = values
	}
	query.Set("filter", filter)
	var page listResponse
	if err := c.do(ctx, http.MethodGet, endpoint+"?"+query.Encode(), nil, &page); err != nil {
		return nil, err
	}
	return page.Resources, nil
}

// do sends one request and decodes the answer into out, which may be nil. It returns a *refused for a 403.
func (c client) do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader = http.NoBody
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept", "application/scim+json")
	req.Header.Set("User-Agent", c.agent)
	if in != nil {
		req.Header.Set("Content-Type", "application/scim+json; charset=utf-8")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode >= 400 {
		var problem struct {
			Detail string `json:"detail"`
		}
		if json.Unmarshal(b, &problem) == nil && resp.StatusCode == http.StatusForbidden && problem.Detail != "" {
			return &refused{problem.Detail}
		}
		return fmt.Errorf("%s %s: status %d: %s", method, path, resp.StatusCode, b)
	}
	if out == nil || len(b) == 0 {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// patch makes the body of a PATCH.
func patch(operations ...object) object {
	return object{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": operations}
}

func members(ids []string) []object {
	list := []object{}
	for _, id := range ids {
		list = append(list, object{"value": id})
	}
	return list
}
