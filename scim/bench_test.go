package scim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"

	"usher/scim"
)

// benchUser is a person as an identity provider sends one, about 1.2 KB.
func benchUser(i int) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
		"externalId":"ext-%07d","userName":"user.%07d@corp.example.com","active":true,"displayName":"Ada Lovelace %07d","nickName":"ada",
		"name":{"formatted":"Ada Lovelace","familyName":"Lovelace","givenName":"Ada"},"title":"Engineer","preferredLanguage":"en-US","locale":"en-US",
		"timezone":"America/Denver","emails":[{"value":"user.%07d@corp.example.com","type":"work","primary":true},{"value":"u%d@home.example.net","type":"home"}],
		"phoneNumbers":[{"value":"+1 720 555 %04d","type":"work"},{"value":"+1 303 555 %04d","type":"mobile"}],
		"addresses":[{"type":"work","streetAddress":"12 Market Street","locality":"Denver","region":"CO","postalCode":"80202","country":"US"}],
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"%07d","costCenter":"CC-1","organization":"Example Corp","division":"Cloud","department":"Sales"}}`,
		i, i, i, i, i, i%10000, i%9999, i)
}

// serve sends a request straight to the handler, without a network between.
func (d *door) serve(b *testing.B, method, path, body string, want int) []byte {
	var reader io.Reader
	if body != "" {
		reader = bytes.NewReader([]byte(body))
	}
	r := httptest.NewRequest(method, path, reader)
	r.Header.Set("Authorization", "Bearer okta")
	if body != "" {
		r.Header.Set("Content-Type", "application/scim+json")
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	if w.Code != want {
		b.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	return w.Body.Bytes()
}

// fill creates people and gives their ids.
func (d *door) fill(b *testing.B, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		var made struct{ ID string }
		if err := json.Unmarshal(d.serve(b, "POST", "/Users", benchUser(i), http.StatusCreated), &made); err != nil {
			b.Fatal(err)
		}
		ids[i] = made.ID
	}
	return ids
}

func BenchmarkHandler(b *testing.B) {
	const people = 1000
	d := open(b, scim.Limits{}, nil)
	ids := d.fill(b, people)
	filter := func(f string) string { return "/Users?filter=" + url.QueryEscape(f) + "&startIndex=1&count=100" }
	var next atomic.Int64
	next.Store(people)
	for name, request := range map[string]func(i int) (method, path, body string, want int){
		"get": func(i int) (string, string, string, int) { return "GET", "/Users/" + ids[i%people], "", 200 },
		"lookup": func(i int) (string, string, string, int) {
			return "GET", filter(fmt.Sprintf(`userName eq "user.%07d@corp.example.com"`, i%people)), "", 200
		},
		"miss": func(i int) (string, string, string, int) {
			return "GET", filter(fmt.Sprintf(`userName eq "nobody.%07d@corp.example.com"`, i)), "", 200
		},
		"page":   func(i int) (string, string, string, int) { return "GET", "/Users?startIndex=501&count=100", "", 200 },
		"create": func(i int) (string, string, string, int) { return "POST", "/Users", benchUser(int(next.Add(1))), 201 },
		"put": func(i int) (string, string, string, int) {
			return "PUT", "/Users/" + ids[i%people], benchUser(i % people), 200
		},
		"patch": func(i int) (string, string, string, int) {
			return "PATCH", "/Users/" + ids[i%people], fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Replace","path":"active","value":"%t"},{"op":"Replace","path":"emails[type eq \"work\"].value","value":"x%d@corp.example.com"},{"op":"Add","path":"name.familyName","value":"L%d"},{"op":"Replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department","value":"D%d"}]}`, i%2 == 0, i, i, i), 200
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				method, path, body, want := request(i)
				d.serve(b, method, path, body, want)
			}
		})
	}
	for _, members := range []int{100, people} {
		b.Run(fmt.Sprintf("add-member/%d", members), func(b *testing.B) {
			var list bytes.Buffer
			for i, id := range ids[:members-1] {
				if i > 0 {
					list.WriteByte(',')
				}
				fmt.Fprintf(&list, `{"value":%q}`, id)
			}
			var made struct{ ID string }
			group := d.serve(b, "POST", "/Groups", fmt.Sprintf(`{"displayName":"g%d","members":[%s]}`, next.Add(1), &list), 201)
			if err := json.Unmarshal(group, &made); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ { // adds and removes the same member
				op := []string{"add", "remove"}[i%2]
				body := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":%q,"path":"members","value":[{"value":%q}]}]}`, op, ids[members-1])
				want := 200
				if members > 100 {
					want = 204
				}
				d.serve(b, "PATCH", "/Groups/"+made.ID, body, want)
			}
		})
	}
}
