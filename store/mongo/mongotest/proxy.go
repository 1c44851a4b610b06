package mongotest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// Fault is what goes wrong with a call.
type Fault int

// The faults. After those that say so, the call was carried out all the same.
const (
	None        Fault = iota
	Lost              // the connection is cut before the server has the call
	Unanswered        // the connection is cut when the server has carried it out
	Torn              // the connection is cut in the middle of the answer; carried out
	Late              // the answer comes some milliseconds later; carried out
	Silent            // no answer comes, and the connection stays; carried out
	Deposed           // answered as by a server that is no primary any more
	SteppedDown       // carried out, and answered as by a primary that steps down meanwhile
	Unconfirmed       // carried out, and answered that no majority has confirmed it in time
	Busy              // answered that it took too long
	BusyAfter         // carried out, and answered that it took too long
)

func (f Fault) String() string {
	return [...]string{
		"none", "lost", "unanswered", "torn", "late", "silent", "deposed", "stepped down", "unconfirmed", "busy", "busy after",
	}[f]
}

// lateness is how much later a late answer comes.
const lateness = 5 * time.Millisecond

// Call is one command to the server.
type Call struct {
	Name       string // of the command: "insert", "update", "findAndModify", "find", "aggregate", ...
	Collection string // empty: it is not about one
}

func (c Call) String() string { return strings.TrimSpace(c.Name + " " + c.Collection) }

// Plan says what goes wrong with a call. It is asked for one call at a time, in the order in which they come.
type Plan func(Call) Fault

// Nth lets one call go wrong, counted from 1.
func Nth(n int, f Fault) Plan {
	return func(Call) Fault {
		if n--; n == 0 {
			return f
		}
		return None
	}
}

// From lets the n-th call and all that come after it go wrong, the n-th perhaps in another way.
func From(n int, first, then Fault) Plan {
	return func(Call) Fault {
		n--
		switch {
		case n > 0:
			return None
		case n == 0:
			return first
		}
		return then
	}
}

// Sometimes lets one of so many calls go wrong, as the seed has it, in one of the ways given.
func Sometimes(seed uint64, oneOf int, faults ...Fault) Plan {
	random := rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // it is to be the same each time
	return func(Call) Fault {
		if random.IntN(oneOf) > 0 {
			return None
		}
		return faults[random.IntN(len(faults))]
	}
}

// Proxy is a server that hands calls on to the MongoDB server, and lets them go wrong as it is told. What connections are begun and checked
// with is never touched: only Down does that.
type Proxy struct {
	uri    string
	target string // the server's address
	addr   string // its own

	mu       sync.Mutex
	plan     Plan
	calls    []Call
	broken   int
	listener net.Listener // nil while it is down
	conns    map[net.Conn]bool
	done     sync.WaitGroup
}

// NewProxy begins to hand on what is said to the server of the database at the address, until the test is over. Of several servers it is the
// primary.
func NewProxy(t testing.TB, uri string) *Proxy {
	t.Helper()
	parsed, err := url.Parse(strings.Replace(uri, ",", "", -1)) // many hosts are no host to it, but what comes behind them is read
	if err == nil && (parsed.Scheme != "mongodb" || parsed.Query().Get("tls") == "true" || parsed.Query().Get("ssl") == "true") {
		t.Skipf("left out: the proxy cannot stand before the server at %s, whose connections are encrypted or found by DNS", serverVariable)
	}
	if err != nil {
		t.Fatalf("%s: %v", serverVariable, err)
	}
	rest := strings.TrimPrefix(uri, "mongodb://")
	user := ""
	if at := strings.Index(rest, "@"); at >= 0 {
		user, rest = rest[:at+1], rest[at+1:]
	}
	hosts, path, _ := strings.Cut(rest, "/")
	name, query, _ := strings.Cut(path, "?")
	options := slices.DeleteFunc(strings.Split(query, "&"), func(option string) bool {
		key, _, _ := strings.Cut(strings.ToLower(option), "=")
		return key == "" || key == "replicaset" || key == "directconnection"
	})
	p := &Proxy{target: primary(t, uri, hosts), addr: "127.0.0.1:0", conns: map[net.Conn]bool{}}
	if err := p.up(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Down()
		p.done.Wait()
	})
	p.uri = "mongodb://" + user + p.addr + "/" + name + "?" + strings.Join(append(options, "directConnection=true"), "&")
	return p
}

// primary gives the address of the server that takes writes.
func primary(t testing.TB, uri, hosts string) (address string) {
	t.Helper()
	var hello struct{ Primary string }
	with(t, uri, func(ctx context.Context, db *mongo.Database) error {
		return db.RunCommand(ctx, bson.D{{Key: "isMaster", Value: 1}}).Decode(&hello)
	})
	address, _, _ = strings.Cut(hosts, ",")
	if hello.Primary != "" {
		address = hello.Primary
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = net.JoinHostPort(address, "27017")
	}
	return address
}

// Name gives the name of the database that an address names.
func Name(uri string) string {
	_, rest, _ := strings.Cut(uri, "://")
	_, path, _ := strings.Cut(rest, "/")
	name, _, _ := strings.Cut(path, "?")
	return name
}

// URI is the address of the same database through the proxy.
func (p *Proxy) URI() string { return p.uri }

// Break lets calls go wrong from now on as the plan says; nil: none does. What was counted is forgotten.
func (p *Proxy) Break(plan Plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan, p.calls, p.broken = plan, nil, 0
}

// Calls gives the calls that came since Break, and how many of them went wrong.
func (p *Proxy) Calls() (calls []Call, broken int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls), p.broken
}

// Down cuts all connections and refuses new ones.
func (p *Proxy) Down() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		_ = p.listener.Close() // it is of no more use either way
		p.listener = nil
	}
	for c := range p.conns {
		_ = c.Close()
	}
}

// Cut cuts all connections; new ones are taken.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// Up takes connections again after Down.
func (p *Proxy) Up(t testing.TB) {
	t.Helper()
	if err := p.up(); err != nil {
		t.Fatal(err)
	}
}

func (p *Proxy) up() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		return nil
	}
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		return err
	}
	p.listener, p.addr = l, l.Addr().String()
	p.done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.done.Go(func() { p.serve(l, c) })
		}
	})
	return nil
}

// enter notes a connection that came in by the listener, unless that is closed by now.
func (p *Proxy) enter(l net.Listener, c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != l {
		return false
	}
	p.conns[c] = true
	return true
}

func (p *Proxy) leave(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// decide asks the plan.
func (p *Proxy) decide(c Call) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, c)
	if p.plan == nil {
		return None
	}
	f := p.plan(c)
	if f != None {
		p.broken++
	}
	return f
}

// serve hands on what comes by one connection, one call after the other, until an end of it is closed.
func (p *Proxy) serve(l net.Listener, client net.Conn) {
	defer client.Close() //nolint:errcheck // nothing is lost that the other end waits for
	if !p.enter(l, client) {
		return
	}
	defer p.leave(client)
	server, err := net.DialTimeout("tcp", p.target, patience)
	if err != nil {
		return
	}
	defer server.Close() //nolint:errcheck // see above
	if !p.enter(l, server) {
		return
	}
	defer p.leave(server)
	for {
		request, err := readMessage(client)
		if err != nil {
			return
		}
		fault := None
		if call, handshake := request.call(); !handshake {
			fault = p.decide(call)
		}
		if !pass(client, server, request, fault) {
			return
		}
	}
}

// pass hands on a request and its answer, with a fault: false when the connection is to be closed.
func pass(client, server net.Conn, request message, fault Fault) bool {
	switch fault {
	case Lost:
		return false
	case Deposed:
		return send(client, request.refusal(10107, "NotWritablePrimary", "not primary"))
	case Busy:
		return send(client, request.refusal(262, "ExceededTimeLimit", "operation exceeded time limit"))
	}
	if !send(server, request) {
		return false
	}
	if request.unacknowledged() {
		return true
	}
	answer, err := readMessage(server)
	if err != nil {
		return false
	}
	switch fault {
	case Unanswered:
		return false
	case Torn:
		send(client, answer[:len(answer)/2])
		return false
	case Late:
		time.Sleep(lateness)
	case Silent:
		_, _ = io.Copy(io.Discard, client) // until the client gives up
		return false
	case SteppedDown:
		answer = request.refusal(189, "PrimarySteppedDown", "operation was interrupted because the primary stepped down")
	case BusyAfter:
		answer = request.refusal(262, "ExceededTimeLimit", "operation exceeded time limit")
	case Unconfirmed:
		answer = request.unconfirmed(answer)
	}
	for {
		if !send(client, answer) {
			return false
		}
		if !answer.moreToCome() {
			return true
		}
		if answer, err = readMessage(server); err != nil {
			return false
		}
	}
}

func send(to net.Conn, m message) bool {
	_, err := to.Write(m)
	return err == nil
}

// message is one message of the wire protocol: a header of length, request id, id of the request answered and operation, each of 4 bytes, and
// what follows.
type message []byte

const (
	headerLength = 16
	maxMessage   = 48_000_000 // as servers have it
	opMsg        = 2013
)

var order = binary.LittleEndian

func readMessage(from io.Reader) (message, error) {
	m := make(message, headerLength)
	if _, err := io.ReadFull(from, m); err != nil {
		return nil, err
	}
	length := int(order.Uint32(m))
	if length < headerLength || length > maxMessage {
		return nil, fmt.Errorf("a message of %d bytes", length)
	}
	m = append(m, make(message, length-headerLength)...)
	_, err := io.ReadFull(from, m[headerLength:])
	return m, err
}

func (m message) operation() uint32 { return order.Uint32(m[12:]) }

// flags of an opMsg.
func (m message) flags() uint32 {
	if m.operation() != opMsg || len(m) < headerLength+4 {
		return 0
	}
	return order.Uint32(m[headerLength:])
}

// moreToCome says of an answer whether another follows without being asked for, of a request whether it wants no answer.
func (m message) moreToCome() bool { return m.flags()&2 != 0 }

func (m message) unacknowledged() bool { return m.operation() == opMsg && m.moreToCome() }

// handshakes are the commands that connections are begun, checked and ended with.
var handshakes = []string{"hello", "ismaster", "saslStart", "saslContinue", "authenticate", "ping", "buildInfo", "endSessions"}

// call gives the command of a request, and whether it is one of handshakes.
func (m message) call() (c Call, handshake bool) {
	body, err := m.body()
	if err != nil {
		return c, true // not for us to judge
	}
	first, err := body.IndexErr(0)
	if err != nil {
		return c, true
	}
	c.Name = first.Key()
	c.Collection, _ = first.Value().StringValueOK()
	return c, slices.ContainsFunc(handshakes, func(name string) bool { return strings.EqualFold(name, c.Name) })
}

// body gives the document of a request or an answer: that of the section of kind 0.
func (m message) body() (bson.Raw, error) {
	if m.operation() != opMsg {
		return nil, errors.New("not an OP_MSG")
	}
	for rest := m[min(len(m), headerLength+4):]; len(rest) > 5; {
		length := int(order.Uint32(rest[1:]))
		if length < 4 || 1+length > len(rest) {
			break
		}
		if rest[0] == 0 {
			return bson.Raw(rest[1 : 1+length]), nil
		}
		rest = rest[1+length:]
	}
	return nil, errors.New("no document")
}

// answer makes an answer to the request.
func (m message) answer(doc any) message {
	body, err := bson.Marshal(doc)
	if err != nil {
		panic(err) // the documents are our own
	}
	out := make(message, headerLength, headerLength+5+len(body))
	copy(out[8:], m[4:8])
	order.PutUint32(out[12:], opMsg)
	out = append(out, 0, 0, 0, 0, 0) // no flags, kind 0
	out = append(out, body...)
	order.PutUint32(out, uint32(len(out))) //nolint:gosec // far shorter
	return out
}

// refusal is the answer to a request by a server that could not do it, as it says.
func (m message) refusal(code int32, name, text string) message {
	doc := bson.D{{Key: "ok", Value: 0.0}, {Key: "errmsg", Value: text}, {Key: "code", Value: code}, {Key: "codeName", Value: name}}
	if code != 262 {
		doc = append(doc, bson.E{Key: "errorLabels", Value: bson.A{"RetryableWriteError"}})
	}
	return m.answer(doc)
}

// unconfirmed is the answer given with the note that a majority has not confirmed it in time. Reading has no such answer.
func (m message) unconfirmed(answer message) message {
	call, _ := m.call()
	if !slices.Contains([]string{"insert", "update", "delete", "findAndModify"}, call.Name) {
		return answer
	}
	body, err := answer.body()
	if err != nil {
		return answer
	}
	var doc bson.D
	if err := bson.Unmarshal(body, &doc); err != nil {
		return answer
	}
	return m.answer(append(doc, bson.E{Key: "writeConcernError", Value: bson.D{
		{Key: "code", Value: int32(64)}, {Key: "codeName", Value: "WriteConcernTimeout"}, {Key: "errmsg", Value: "waiting for replication timed out"},
	}}))
}
