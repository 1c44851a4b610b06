package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher/cmd/internal/adminapi"
	"usher/cmd/internal/app"
)

// stormy is what a client process of the storm is told.
type stormy struct {
	Base, Socket string
	// Where the clients go on when nobody answers there; empty: they wait.
	OtherBase, OtherSocket string
	Tokens                 []string // with the right to assign licenses, and without
	Seed                   uint64
	Workers                int
	Ends                   time.Time
}

// TestStorm lets two client processes change a company over HTTP from all sides while the server is killed again and again. Then the
// checker works out from the log what everybody must have.
func TestStorm(t *testing.T) {
	length, kills, workers := 4*time.Second, 2, 8
	if os.Getenv("USHER_SCALE") == "full" {
		length, kills, workers = 60*time.Second, 3, 32
	}
	data := t.TempDir()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	listener.Close()
	config := filepath.Join(data, "usher.toml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "addr = %q\ndata = %q\n", addr, data), 0o600); err != nil {
		t.Fatal(err)
	}
	ends := time.Now().Add(length)
	server := serve(t, config, data)
	tokens := stormCompany(t, dial(t, data))
	var clients sync.WaitGroup
	for seed := range uint64(2) {
		told, err := json.Marshal(stormy{
			Base: "http://" + addr + "/scim/v2", Socket: app.Socket(data), Tokens: tokens, Seed: seed, Workers: workers, Ends: ends,
		})
		if err != nil {
			t.Fatal(err)
		}
		clients.Go(func() {
			client := exec.Command("usher-storm", string(told))
			out, err := client.CombinedOutput()
			t.Logf("client %d: %s", seed, out)
			if err != nil {
				t.Errorf("client %d: %v", seed, err)
			}
		})
	}
	for range kills {
		time.Sleep(length / time.Duration(kills+1))
		if err := server.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = server.Wait()
		server = serve(t, config, data)
	}
	clients.Wait()
	if err := server.Process.Kill(); err != nil { // and once more, with nobody to repeat what was left
		t.Fatal(err)
	}
	_ = server.Wait()
	server = serve(t, config, data)
	if err := server.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := server.Wait(); err != nil {
		t.Fatalf("the server has not stopped well: %v", err)
	}
	file := filepath.Join(data, "usher.db")
	found := checkStore(t, file)
	t.Logf("%d people and %d events were checked", found.people, found.events)
	for _, wrong := range found.wrong {
		t.Error(wrong)
	}
	if found.people < 20 || found.events < 500 {
		t.Errorf("that was no storm: %d people, %d events", found.people, found.events)
	}
	if !t.Failed() && os.Getenv("USHER_SCALE") != "full" { // it takes a while for each way, and is the same at any size
		checkChecker(t, file)
	}
}

// checkChecker spoils the database in many ways, each of which the checker must find.
func checkChecker(t *testing.T, file string) {
	for _, spoil := range []string{
		"UPDATE users SET effective = 'ringex' WHERE pk = (SELECT pk FROM users WHERE effective = 'video-pro' LIMIT 1)",
		"UPDATE users SET lstate = 'active' WHERE pk = (SELECT pk FROM users WHERE lstate = 'blocked' LIMIT 1)",
		"UPDATE users SET active = NOT active WHERE pk = (SELECT pk FROM users WHERE license IS NOT NULL LIMIT 1)",
		"UPDATE users SET sources = NULL WHERE pk = (SELECT pk FROM users WHERE sources IS NOT NULL LIMIT 1)",
		"DELETE FROM users WHERE pk = (SELECT pk FROM users LIMIT 1)",
		"UPDATE pools SET total = total + 1 WHERE sku = 'ringex'",
		"UPDATE pools SET reserved = reserved + 1 WHERE sku = 'ringex'",
		"UPDATE pools SET waiting = waiting + 1 WHERE sku = 'ringex'",
		// The last event that moved the license of somebody who is still there, or there again: what was before they went is forgotten.
		`DELETE FROM events WHERE seq = (SELECT max(e.seq) FROM events e
			WHERE e.kind = 'license' AND e.target IN (SELECT id FROM users) AND json_extract(e.detail, '$.from') <> json_extract(e.detail, '$.to')
			AND NOT EXISTS (SELECT 1 FROM events d WHERE d.co = e.co AND d.target = e.target AND d.action = 'user.delete' AND d.request = e.request)
			AND NOT EXISTS (SELECT 1 FROM events d WHERE d.co = e.co AND d.target = e.target AND d.action = 'user.delete' AND d.seq > e.seq))`,
		"INSERT INTO sweeps (id, co, cause) VALUES ('1', 1, '{}')",
	} {
		db, err := sql.Open("sqlite", "file:"+file)
		if err != nil {
			t.Fatal(err)
		}
		db.SetMaxOpenConns(1)
		copied := filepath.Join(t.TempDir(), "usher.db")
		_, err = db.Exec("VACUUM INTO ?", copied)
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		if db, err = sql.Open("sqlite", "file:"+copied); err != nil {
			t.Fatal(err)
		}
		_, err = db.Exec(spoil)
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatalf("%s: %v", spoil, err)
		}
		if found := checkStore(t, copied); len(found.wrong) == 0 {
			t.Errorf("the checker does not find this: %s", spoil)
		}
	}
}

// serve starts the server and waits until it answers.
func serve(t *testing.T, config, data string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("usher", "serve", "--config", config)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		for line := range strings.Lines(log.String()) {
			if strings.Contains(line, `"level":"ERROR"`) {
				t.Errorf("the server says: %s", line)
			}
		}
	})
	for range 600 {
		if c, err := adminapi.Dial(t.Context(), app.Socket(data), "storm"); err == nil {
			if _, err := c.Companies(t.Context()); err == nil {
				return cmd
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	_ = cmd.Process.Kill()
	t.Fatalf("the server does not answer: %s", log.String())
	return nil
}

func dial(t *testing.T, data string) *adminapi.Client {
	t.Helper()
	c, err := adminapi.Dial(t.Context(), app.Socket(data), "storm")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// stormClient is the client process.
func stormClient() {
	var s stormy
	if err := json.Unmarshal([]byte(os.Args[1]), &s); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	// However slow the machine is, it is to be a storm: some hundred changes are awaited.
	const least = 300
	ctx, cancel := context.WithDeadline(context.Background(), s.Ends.Add(5*time.Minute))
	defer cancel()
	var workers sync.WaitGroup
	failed := make(chan error, s.Workers)
	var counts [6]atomic.Int64 // by the first digit of the status; 0: no answer
	for i := range s.Workers {
		w := &stormWorker{stormy: s, ctx: ctx, random: rand.New(rand.NewPCG(s.Seed, uint64(i))), counts: &counts}
		workers.Go(func() {
			for ctx.Err() == nil && (time.Now().Before(s.Ends) || counts[2].Load() < least) {
				if err := w.act(); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	workers.Wait()
	close(failed)
	fmt.Printf("answers 2xx %d, 4xx %d, 5xx %d, none %d\n", counts[2].Load(), counts[4].Load(), counts[5].Load(), counts[0].Load())
	status := 0
	for err := range failed {
		fmt.Println(err)
		status = 1
	}
	os.Exit(status)
}

// stormWorker does one thing after the other.
type stormWorker struct {
	stormy
	ctx    context.Context
	random *rand.Rand
	counts *[6]atomic.Int64
	ids    []string // people whom it knows
	groups []string
	rules  []string
}

func pick[T any](w *stormWorker, from ...T) T { return from[w.random.IntN(len(from))] }

func (w *stormWorker) act() error {
	if len(w.ids) == 0 || w.random.IntN(8) == 0 {
		return w.create()
	}
	id := pick(w, w.ids...)
	patch := func(ops string) error {
		_, err := w.scim(http.MethodPatch, "/Users/"+id, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`+ops+`]}`)
		return err
	}
	license := pick(w, `"video-pro-plus"`, `"video-pro-plus"`, `"ringex"`, `"none"`)
	switch w.random.IntN(16) {
	case 0, 1:
		return patch(`{"op":"replace","path":"active","value":` + pick(w, "true", "false", "true") + `}`)
	case 2, 3:
		return patch(`{"op":"replace","path":"urn:ietf:params:scim:schemas:extension:usher:2.0:User:license","value":` + license + `}`)
	case 4:
		return patch(`{"op":"replace","path":"title","value":` + pick(w, `"engineer"`, `"manager"`, `"clerk"`) + `}`)
	case 5:
		return patch(`{"op":"` + pick(w, "add", "remove") + `","path":"roles","value":[{"value":` + license + `}]}`)
	case 6:
		_, err := w.scim(http.MethodDelete, "/Users/"+id, "")
		return err
	case 7:
		body := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[
			{"method":"PATCH","path":"/Users/` + id + `","data":{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":true}]}},
			{"method":"POST","path":"/Users","bulkId":"b","data":` + w.user(license) + `}]}`
		_, err := w.scim(http.MethodPost, "/Bulk", body)
		return err
	case 8, 9:
		return w.group(id)
	}
	return w.administer(id)
}

func (w *stormWorker) user(license string) string {
	name := fmt.Sprintf("p%d@%s", w.random.IntN(120), pick(w, "acme.example", "acme.example", "acme.example", "gmail.com"))
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":%q,"externalId":"x-%s","title":%q,"active":%s,
		"entitlements":[{"type":"License","value":%s}]}`, name, name, pick(w, "engineer", "clerk"), pick(w, "true", "true", "true", "false"), license)
}

func (w *stormWorker) create() error {
	answer, err := w.scim(http.MethodPost, "/Users", w.user(pick(w, `"video-pro-plus"`, `"ringex"`, `"none"`)))
	if err != nil {
		return err
	}
	if id := idOf(answer); id != "" {
		w.ids = append(w.ids, id)
	} else if len(w.ids) == 0 { // those of an earlier storm are there
		return w.meet()
	}
	return nil
}

// meet gets to know some people who are there already.
func (w *stormWorker) meet() error {
	answer, err := w.scim(http.MethodGet, fmt.Sprintf("/Users?attributes=id&count=10&startIndex=%d", 1+w.random.IntN(150)), "")
	if err != nil || answer == nil {
		return err
	}
	var page struct{ Resources []struct{ ID string } }
	if err := json.Unmarshal(answer, &page); err != nil {
		return err
	}
	for _, u := range page.Resources {
		w.ids = append(w.ids, u.ID)
	}
	return nil
}

func (w *stormWorker) group(id string) error {
	if len(w.groups) == 0 || w.random.IntN(10) == 0 {
		answer, err := w.scim(http.MethodPost, "/Groups", fmt.Sprintf(
			`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"g%d","members":[{"value":%q}]}`, w.random.IntN(1_000_000), id))
		if made := idOf(answer); err == nil && made != "" {
			w.groups = append(w.groups, made)
		}
		return err
	}
	group := pick(w, w.groups...)
	if w.random.IntN(12) == 0 {
		_, err := w.scim(http.MethodDelete, "/Groups/"+group, "")
		return err
	}
	op := pick(w, `{"op":"add","path":"members","value":[{"value":"`+id+`"}]}`, `{"op":"remove","path":"members[value eq \"`+id+`\"]"}`,
		`{"op":"replace","path":"members","value":[{"value":"`+id+`"}]}`)
	_, err := w.scim(http.MethodPatch, "/Groups/"+group, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`+op+`]}`)
	return err
}

// administer does something as an admin.
func (w *stormWorker) administer(id string) error {
	c, err := adminapi.Dial(w.ctx, w.Socket, "storm")
	if err != nil {
		return w.admin(adminapi.ErrNoServer)
	}
	paid := pick(w, "video-pro-plus", "video-pro-plus", "ringex")
	switch w.random.IntN(9) {
	case 0:
		var until time.Time
		if w.random.IntN(2) == 0 {
			until = time.Now().Add(time.Second)
		}
		_, err = c.Assign(w.ctx, "acme", id, adminapi.Assignment{License: pick(w, paid, "video-pro"), Until: until})
	case 1:
		err = c.Unassign(w.ctx, "acme", id)
	case 2:
		_, err = c.Decide(w.ctx, "acme", id, adminapi.Decision{Approve: w.random.IntN(2) == 0})
	case 3:
		_, err = c.ChangeAccount(w.ctx, "acme", id, adminapi.AccountChange{MemberType: pick(w, "coworker", "coworker", "guest")})
	case 4:
		rule := adminapi.NewRule{Attribute: "title", Value: pick(w, "engineer", "manager"), License: paid}
		if len(w.groups) > 0 && w.random.IntN(2) == 0 {
			rule = adminapi.NewRule{Group: pick(w, w.groups...), License: paid, Priority: w.random.IntN(3)}
		}
		var made adminapi.Rule
		if made, err = c.AddRule(w.ctx, "acme", rule); err == nil {
			w.rules = append(w.rules, made.ID)
		}
	case 5, 6:
		for len(w.rules) > 1 { // few at a time, or everybody has everything
			err = errors.Join(err, c.RemoveRule(w.ctx, "acme", w.rules[0]))
			w.rules = w.rules[1:]
		}
	case 7:
		if w.random.IntN(3) == 0 {
			_, err = c.SetCeiling(w.ctx, "acme", paid, w.random.IntN(30))
		} else {
			_, err = c.SetSeats(w.ctx, "acme", paid, 5+w.random.IntN(30), true)
		}
	case 8:
		tier := pick(w, "free", "video-pro-plus")
		_, err = c.ChangeCompany(w.ctx, "acme", adminapi.CompanyChange{Tier: &tier, Confirm: true})
	}
	return w.admin(err)
}

// admin counts what came of an operation of the admin API. Only a failure of the server is one.
func (w *stormWorker) admin(err error) error {
	var p *adminapi.Problem
	switch {
	case err == nil:
		w.counts[2].Add(1)
	case errors.As(err, &p):
		w.counts[p.Status/100].Add(1)
		if p.Status == http.StatusInternalServerError {
			return err
		}
	default:
		w.lost()
	}
	return nil
}

// lost notes that there was no answer, and waits for the server to come back, or goes to the other one.
func (w *stormWorker) lost() {
	w.counts[0].Add(1)
	if w.OtherBase != "" {
		w.Base, w.Socket, w.OtherBase, w.OtherSocket = w.OtherBase, w.OtherSocket, w.Base, w.Socket
	}
	time.Sleep(20 * time.Millisecond)
}

// scim sends a request and gives the answer's body where it is 2xx.
func (w *stormWorker) scim(method, path, body string) ([]byte, error) {
	req, err := http.NewRequestWithContext(w.ctx, method, w.Base+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+pick(w, w.Tokens[0], w.Tokens[0], w.Tokens[1]))
	req.Header.Set("Content-Type", "application/scim+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.lost()
		return nil, nil
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		w.lost()
		return nil, nil
	}
	w.counts[resp.StatusCode/100].Add(1)
	switch {
	case resp.StatusCode == http.StatusInternalServerError:
		return nil, errors.New(method + " " + path + ": " + strconv.Itoa(resp.StatusCode) + " " + string(answer))
	case resp.StatusCode >= 300:
		return nil, nil
	}
	return answer, nil
}

func idOf(answer []byte) string {
	var made struct{ ID string }
	_ = json.Unmarshal(answer, &made)
	return made.ID
}
