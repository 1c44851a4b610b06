package scim_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"usher/scim"
	"usher/store"
)

// breaking is a store whose members can be read so many times.
type breaking struct {
	scim.Store
	reads *int
}

func (s breaking) Members(ctx context.Context, company, group, after string, limit int) ([]store.Member, error) {
	if *s.reads--; *s.reads < 0 {
		return nil, errors.New("the disk is gone")
	}
	return s.Store.Members(ctx, company, group, after, limit)
}

// TestStream reads a group that is too large to be sent as a whole.
func TestStream(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	var operations, members []string
	const n = 2500
	for i := range n {
		operations = append(operations, post(fmt.Sprintf("u%d", i), fmt.Sprintf("u%d", i), ""))
	}
	for len(operations) > 0 {
		a, _ := d.bulk("", operations[:min(500, len(operations))]...)
		for i := range a.body["Operations"].([]any) {
			location, _ := a.get("Operations", i, "location").(string)
			members = append(members, `{"value":"`+location[strings.LastIndexByte(location, '/')+1:]+`"}`)
		}
		operations = operations[min(500, len(operations)):]
	}
	group := d.want(201, "POST", "/Groups", `{"displayName":"large","members":[`+strings.Join(members, ",")+`]}`)
	small := d.want(201, "POST", "/Groups", `{"displayName":"small"}`)
	if got := len(group.get("members").([]any)); got != n || group.header.Get("Content-Length") != "" {
		t.Errorf("created with %d members, length %q", got, group.header.Get("Content-Length"))
	}
	if small.header.Get("Content-Length") != fmt.Sprint(len(small.raw)) {
		t.Errorf("a small answer without its length: %v", small.header)
	}
	path := "/Groups/" + group.id()
	for query, keys := range map[string]int{"": 4, "?attributes=members.value": 1, "?excludedAttributes=members.display,members.$ref": 2, "?attributes=members": 4} {
		a := d.want(200, "GET", path+query, "")
		list := a.get("members").([]any)
		seen := map[any]bool{}
		for i, m := range list {
			if len(m.(map[string]any)) != keys {
				t.Fatalf("%s: %v", query, m)
			}
			if value := a.get("members", i, "value"); value != nil {
				seen[value] = true
			}
		}
		if len(list) != n || len(seen) != n {
			t.Errorf("%s: %d members, %d of them different", query, len(list), len(seen))
		}
	}
	if a := d.want(200, "GET", path+"?excludedAttributes=members", ""); a.get("members") != nil || a.header.Get("Content-Length") == "" {
		t.Errorf("without members: %s", a.raw)
	}
	if both := d.want(200, "GET", "/Groups", ""); len(both.get("Resources", 0, "members").([]any)) != n || both.get("Resources", 1, "displayName") != "small" {
		t.Errorf("a list: %d bytes", len(both.raw))
	}

	// What breaks off must not look like the whole.
	reads := 2
	d.handler.Store = breaking{d.handler.Store, &reads}
	r, err := http.NewRequest("GET", d.server.URL+"/scim/v2"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer okta")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("%d bytes of an answer that broke off look like the whole", len(body))
	}
}
