package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"usher/cmd/internal/adminapi"
	"usher/cmd/internal/app"
	"usher/store/mongo/mongotest"
)

// takenOverWithin is how long after a server was killed another may take to bring everything in order.
const takenOverWithin = 2 * time.Minute

// machine is a server of several, with its data folder.
type machine struct {
	addr, data, config string
	process            *exec.Cmd
}

func (m *machine) base() string { return "http://" + m.addr + "/scim/v2" }

// TestStorm_severalServers lets clients storm two servers on one database, of which one is killed in the middle of it, again and again: the other
// brings in order what it has left. Then the checker looks into the database.
func TestStorm_severalServers(t *testing.T) {
	uri := mongotest.URI(t)
	length, rounds, workers := 4*time.Second, 1, 8
	if os.Getenv("USHER_SCALE") == "full" {
		length, rounds, workers = 20*time.Second, 10, 32
	}
	t.Setenv("USHER_STORE", uri)
	t.Setenv("USHER_SECRETS_KEYS", base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))))
	servers := []*machine{newMachine(t), newMachine(t)}
	for _, m := range servers {
		m.process = serve(t, m.config, m.data)
	}
	tokens := stormCompany(t, dial(t, servers[0].data))
	db := databaseOf(t, uri)
	for round := range rounds {
		victim, other := servers[round%2], servers[(round+1)%2]
		ends := time.Now().Add(length)
		var clients sync.WaitGroup
		for i, m := range servers {
			spare := servers[1-i]
			told, err := json.Marshal(stormy{
				Base: m.base(), Socket: app.Socket(m.data), OtherBase: spare.base(), OtherSocket: app.Socket(spare.data),
				Tokens: tokens, Seed: uint64(2*round + i), Workers: workers, Ends: ends,
			})
			if err != nil {
				t.Fatal(err)
			}
			clients.Go(func() {
				out, err := exec.Command("usher-storm", string(told)).CombinedOutput()
				t.Logf("round %d, client %d: %s", round+1, i, out)
				if err != nil {
					t.Errorf("round %d, client %d: %v", round+1, i, err)
				}
			})
		}
		time.Sleep(length / 2)
		if err := victim.process.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		killed := time.Now()
		_ = victim.process.Wait()
		clients.Wait()
		calm := time.Since(killed) // much is under way while the storm lasts
		left := checkDatabase(t, db)
		found := left
		for len(found.wrong) > 0 && time.Since(killed) < takenOverWithin {
			time.Sleep(500 * time.Millisecond)
			found = checkDatabase(t, db)
		}
		t.Logf("round %d: when the storm was over, %s after the kill, %d things were not in order; they were %s after it: %d people, %d events",
			round+1, calm.Round(100*time.Millisecond), len(left.wrong), time.Since(killed).Round(100*time.Millisecond), found.people, found.events)
		for _, wrong := range left.wrong[:min(len(left.wrong), 5)] {
			t.Logf("round %d: left behind: %s", round+1, wrong)
		}
		for _, wrong := range found.wrong {
			t.Errorf("round %d: %s after the kill: %s", round+1, time.Since(killed).Round(time.Second), wrong)
		}
		if t.Failed() {
			return
		}
		victim.process = serve(t, victim.config, victim.data)
		if _, err := dial(t, other.data).Companies(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range servers {
		if err := m.process.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if err := m.process.Wait(); err != nil {
			t.Errorf("a server has not stopped well: %v", err)
		}
	}
	found := checkDatabase(t, db)
	for _, wrong := range found.wrong {
		t.Error(wrong)
	}
	if found.people < 20 || found.events < 500 {
		t.Errorf("that was no storm: %d people, %d events", found.people, found.events)
	}
	if !t.Failed() {
		checkDatabaseChecker(t, db)
	}
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{addr: listener.Addr().String(), data: t.TempDir()}
	listener.Close()
	m.config = filepath.Join(m.data, "usher.toml")
	if err := os.WriteFile(m.config, fmt.Appendf(nil, "addr = %q\ndata = %q\n", m.addr, m.data), 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

// stormCompany makes the company of a storm and gives its tokens, of which the first may assign licenses.
func stormCompany(t *testing.T, admin *adminapi.Client) []string {
	t.Helper()
	seats := map[string]int{"video-pro-plus": 20, "ringex": 10}
	if _, err := admin.CreateCompany(t.Context(), adminapi.NewCompany{Name: "acme", Tier: "video-pro-plus", Seats: seats, LossPercent: 100, Admin: "root"}); err != nil {
		t.Fatal(err)
	}
	var tokens []string
	for _, name := range []string{"okta", "entra"} {
		made, err := admin.CreateToken(t.Context(), "acme", adminapi.NewToken{Connection: name, AssignLicenses: name == "okta"})
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, made.Secret)
	}
	return tokens
}

// databaseOf gives the database of an address, by the driver and nothing of the program.
func databaseOf(t *testing.T, uri string) *mongo.Database {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	_, path, _ := strings.Cut(uri, "://")
	_, name, _ := strings.Cut(path, "/")
	name, _, _ = strings.Cut(name, "?")
	return client.Database(name)
}

// documents reads those of a collection that a filter names.
func documents[T any](t *testing.T, db *mongo.Database, collection string, filter bson.D, sort string) []T {
	t.Helper()
	const batch = 500
	cursor, err := db.Collection(collection).Find(t.Context(), filter, options.Find().SetSort(bson.D{{Key: sort, Value: 1}}).SetBatchSize(batch))
	if err != nil {
		t.Fatal(err)
	}
	var all []T
	if err := cursor.All(t.Context(), &all); err != nil {
		t.Fatalf("%s: %v", collection, err)
	}
	return all
}

// What the checker reads of the documents.
type (
	userDocument struct {
		ID    string `bson:"_id"`
		Queue string `bson:"wq"`
		Claim string
		V     struct {
			Active   bool
			Decision struct {
				License, LicenseState, LicenseReason, Effective, Seat, SeatState, MemberType string
				Sources                                                                      []ask
			}
		}
	}
	eventDocument struct {
		Seq int64
		V   struct {
			Action, Target string
			Time           time.Time
			Detail         []byte
		}
	}
	poolDocument struct {
		V struct {
			License string
			Total   int
		}
	}
	seatDocument struct {
		ID    string `bson:"_id"`
		SKU   string
		State string `bson:"st"`
		Claim string
	}
)

// checkDatabase checks a MongoDB database: the records as checkStore does, and that nothing is half done.
func checkDatabase(t *testing.T, db *mongo.Database) report {
	t.Helper()
	var found report
	present := bson.E{Key: "gone", Value: nil}
	for _, company := range documents[struct {
		ID string `bson:"_id"`
	}](t, db, "companies", bson.D{}, "_id") {
		co := bson.E{Key: "co", Value: company.ID}
		all := records{queues: map[string][]string{}}
		for i, e := range documents[eventDocument](t, db, "events", bson.D{co}, "seq") {
			if e.Seq != int64(i)+1 {
				found.complain("event %d is in place %d of the log", e.Seq, i+1)
			}
			all.events = append(all.events, logged{e.V.Action, e.V.Target, cmp.Or(string(e.V.Detail), "{}"), e.V.Time})
		}
		claims, waiting := map[string]string{}, map[string]int{}
		users := documents[userDocument](t, db, "users", bson.D{co, present}, "_id")
		for _, u := range users {
			d := u.V.Decision
			all.people = append(all.people, known{u.ID, state{
				License: d.License, State: d.LicenseState, Reason: d.LicenseReason, Effective: d.Effective, Seat: d.Seat, SeatState: d.SeatState,
				active: u.V.Active, member: d.MemberType, sources: inUTC(d.Sources),
			}})
			if d.Seat != "" {
				claims[u.Claim] = d.Seat + " " + d.SeatState
			}
		}
		slices.SortFunc(users, func(a, b userDocument) int { return cmp.Compare(a.Queue, b.Queue) })
		for _, u := range users {
			if u.Queue != "" {
				all.queues[u.V.Decision.License] = append(all.queues[u.V.Decision.License], u.ID)
				waiting[u.V.Decision.License]++
			}
		}
		pools := map[string]*pool{}
		for _, p := range documents[poolDocument](t, db, "pools", bson.D{co}, "_id") {
			pools[p.V.License] = &pool{license: p.V.License, bought: p.V.Total, waiting: waiting[p.V.License]}
		}
		for _, s := range documents[seatDocument](t, db, "seats", bson.D{co, {Key: "free", Value: false}}, "_id") {
			if has := claims[s.Claim]; has != s.SKU+" "+s.State {
				found.complain("seat %s is %s, and its account says %q", s.ID, s.State, has)
			}
			switch p := pools[s.SKU]; s.State {
			case "reserved":
				p.reserved++
			case "active":
				p.active++
			case "held":
				p.held++
			}
		}
		for _, p := range pools {
			all.pools = append(all.pools, *p)
		}
		found.check(all)
	}
	names, err := db.ListCollectionNames(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		for what, filter := range map[string]bson.D{
			"has something to tell": {{Key: "box", Value: bson.D{{Key: "$exists", Value: true}}}},
			"is half done":          {{Key: "open", Value: true}},
		} {
			if n, err := db.Collection(name).CountDocuments(t.Context(), filter); err != nil || n > 0 {
				found.complain("%s: %d %s, %v", name, n, what, err)
			}
		}
	}
	for _, sweep := range documents[struct{ V struct{ Cause string } }](t, db, "sweeps", bson.D{{Key: "ended", Value: nil}}, "_id") {
		found.complain("an open sweep: %s", sweep.V.Cause)
	}
	return found
}

// inUTC gives sources as they are read from the log.
func inUTC(all []ask) []ask {
	for i := range all {
		all[i].At, all[i].Until = all[i].At.UTC(), all[i].Until.UTC()
	}
	return all
}

// checkDatabaseChecker spoils the database in many ways, each of which the checker must find.
func checkDatabaseChecker(t *testing.T, db *mongo.Database) {
	t.Helper()
	set := func(field string, value any) bson.D {
		return bson.D{{Key: "$set", Value: bson.D{{Key: field, Value: value}}}}
	}
	is := func(field string, value any) bson.D { return bson.D{{Key: field, Value: value}} }
	for _, spoil := range []struct {
		collection     string
		filter, update bson.D // update nil: it is deleted
	}{
		{"users", append(is("v.decision.effective", "video-pro"), bson.E{Key: "gone", Value: nil}), set("v.decision.effective", "ringex")},
		{"users", append(is("v.decision.licensestate", "blocked"), bson.E{Key: "gone", Value: nil}), set("v.decision.licensestate", "active")},
		{"pools", is("v.license", "ringex"), set("v.total", 1000)},
		{"seats", is("st", "reserved"), set("free", true)},
		{"events", is("v.action", "license.change"), nil},
		{"sweeps", bson.D{}, bson.D{{Key: "$unset", Value: bson.D{{Key: "ended", Value: 1}}}}},
	} {
		before := strings.Join(checkDatabase(t, db).wrong, "\n")
		var changed int64
		if spoil.update == nil {
			r, err := db.Collection(spoil.collection).DeleteOne(t.Context(), spoil.filter)
			if err != nil {
				t.Fatal(err)
			}
			changed = r.DeletedCount
		} else {
			r, err := db.Collection(spoil.collection).UpdateOne(t.Context(), spoil.filter, spoil.update)
			if err != nil {
				t.Fatal(err)
			}
			changed = r.ModifiedCount
		}
		if changed == 0 {
			t.Logf("nothing to spoil in %s: %v", spoil.collection, spoil.filter)
			continue
		}
		if after := strings.Join(checkDatabase(t, db).wrong, "\n"); after == before {
			t.Errorf("the checker does not find this in %s: %v", spoil.collection, spoil.update)
		}
	}
}
