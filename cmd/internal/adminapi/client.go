package adminapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"

	"usher/licensing"
)

// ErrNoServer is returned by [Dial] when nobody answers on the socket.
var ErrNoServer = errors.New("no server runs on the data folder")

// Client calls the operations of a handler. Its methods return a *[Problem] when the handler refuses.
type Client struct {
	operator string
	http     *http.Client
}

// Dial makes a client for the handler that serves on the socket: ErrNoServer when there is none. operator is the name under which
// the audit log shows the changes.
func Dial(ctx context.Context, socket, operator string) (*Client, error) {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	conn, err := dial(ctx, "", "")
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, ErrNoServer
	}
	if err != nil {
		return nil, fmt.Errorf("cannot speak to the server: %w", err)
	}
	conn.Close()
	return &Client{operator: operator, http: &http.Client{Transport: &http.Transport{DialContext: dial}}}, nil
}

// InProcess makes a client for a handler of the same process.
func InProcess(h http.Handler, operator string) *Client {
	return &Client{operator: operator, http: &http.Client{Transport: inProcess{h}}}
}

// CreateCompany adds a company.
func (c *Client) CreateCompany(ctx context.Context, in NewCompany) (CreatedCompany, error) {
	var out CreatedCompany
	err := c.do(ctx, http.MethodPost, &out, in, "companies")
	return out, err
}

// Companies lists the companies.
func (c *Client) Companies(ctx context.Context) ([]Company, error) {
	var out list[Company]
	err := c.do(ctx, http.MethodGet, &out, nil, "companies")
	return out.Items, err
}

// ChangeCompany sets settings of a company.
func (c *Client) ChangeCompany(ctx context.Context, company string, change CompanyChange) (Company, error) {
	var out Company
	err := c.do(ctx, http.MethodPatch, &out, change, "companies", company)
	return out, err
}

// ForecastCompany says what ChangeCompany would do.
func (c *Client) ForecastCompany(ctx context.Context, company string, change CompanyChange) (licensing.CompanyForecast, error) {
	var out licensing.CompanyForecast
	err := c.do(ctx, http.MethodPut, &out, change, "companies", company, "forecast")
	return out, err
}

// NextSteps lists what waits for an admin of a company, the most urgent first.
func (c *Client) NextSteps(ctx context.Context, company string) ([]NextStep, error) {
	var out list[NextStep]
	err := c.do(ctx, http.MethodGet, &out, nil, "companies", company, "next-steps")
	return out.Items, err
}

// Admins lists the local admins of a company.
func (c *Client) Admins(ctx context.Context, company string) ([]Admin, error) {
	var out list[Admin]
	err := c.do(ctx, http.MethodGet, &out, nil, "companies", company, "admins")
	return out.Items, err
}

// PutAdmin adds a local admin, or changes the one with the login.
func (c *Client) PutAdmin(ctx context.Context, company, login string, in AdminChange) (ChangedAdmin, error) {
	var out ChangedAdmin
	err := c.do(ctx, http.MethodPut, &out, in, "companies", company, "admins", login)
	return out, err
}

// RemoveAdmin removes a local admin.
func (c *Client) RemoveAdmin(ctx context.Context, company, login string) error {
	return c.do(ctx, http.MethodDelete, nil, nil, "companies", company, "admins", login)
}

// PutTOTP makes a new secret of one-time passwords for a local admin, who is asked for them from then on.
func (c *Client) PutTOTP(ctx context.Context, company, login string) (TOTP, error) {
	var out TOTP
	err := c.do(ctx, http.MethodPut, &out, nil, "companies", company, "admins", login, "totp")
	return out, err
}

// RemoveTOTP lets a local admin sign in without one-time passwords.
func (c *Client) RemoveTOTP(ctx context.Context, company, login string) error {
	return c.do(ctx, http.MethodDelete, nil, nil, "companies", company, "admins", login, "totp")
}

// PutPersonTOTP is PutTOTP for a person with a role, RemovePersonTOTP is RemoveTOTP.
func (c *Client) PutPersonTOTP(ctx context.Context, company, account string) (TOTP, error) {
	var out TOTP
	err := c.do(ctx, http.MethodPut, &out, nil, "companies", company, "accounts", account, "totp")
	return out, err
}

// RemovePersonTOTP lets a person with a role sign in without one-time passwords.
func (c *Client) RemovePersonTOTP(ctx context.Context, company, account string) error {
	return c.do(ctx, http.MethodDelete, nil, nil, "companies", company, "accounts", account, "totp")
}

// Sessions lists the admins of a company who are signed in.
func (c *Client) Sessions(ctx context.Context, company string) ([]Session, error) {
	var out list[Session]
	err := c.do(ctx, http.MethodGet, &out, nil, "companies", company, "sessions")
	return out.Items, err
}

// EndSession ends a session at once.
func (c *Client) EndSession(ctx context.Context, company, id string) error {
	return c.do(ctx, http.MethodDelete, nil, nil, "companies", company, "sessions", id)
}

// CreateKey makes a key of a local admin.
func (c *Client) CreateKey(ctx context.Context, company string, in NewKey) (CreatedKey, error) {
	var out CreatedKey
	err := c.do(ctx, http.MethodPost, &out, in, "companies", company, "keys")
	return out, err
}

// Keys lists the keys of a company's admins.
func (c *Client) Keys(ctx context.Context, company string) ([]Key, error) {
	var out list[Key]
	err := c.do(ctx, http.MethodGet, &out, nil, "companies", company, "keys")
	return out.Items, err
}

// RevokeKey ends a key. When it returns, no request with the key is accepted any more.
func (c *Client) RevokeKey(ctx context.Context, company, id string) error {
	return c.do(ctx, http.MethodDelete, nil, nil, "companies", company, "keys", id)
}

// CreateToken makes a token, and the connection if the company has none of that name.
func (c *Client) CreateToken(ctx context.Context, company string, in NewToken) (CreatedToken, error) {
	var out CreatedToken
	err := c.do(ctx, http.MethodPost, &out, in, "companies", company, "tokens")
	return out, err
}

// Tokens lists the tokens of a company.
func (c *Client) Tokens(ctx context.Context, company string) ([]Token, error) {
	var out list[Token]
	err := c.do(ctx, http.MethodGet, &out, nil, "companies", company, "tokens")
	return out.Items, err
}

// RevokeToken ends a token. When it returns, no request with the token is accepted any more.
func (c *Client) RevokeToken(ctx context.Context, company, id string) error {
	return c.do(ctx, http.MethodDelete, nil, nil, "companies", company, "tokens", id)
}

// Connections lists the connections of a company.
func (c *Client) Connections(ctx context.Context, company string) ([]Connection, error) {
	var out list[Connection]
	err := c.do(ctx, http.MethodGet, &out, nil, "companies", company, "connections")
	return out.Items, err
}

// ChangeConnection changes the connection with the name or id. When it returns, all requests that begin find the change.
func (c *Client) ChangeConnection(ctx context.Context, company, connection string, in ConnectionChange) (Connection, error) {
	var out Connection
	err := c.do(ctx, http.MethodPatch, &out, in, "companies", company, "connections", connection)
	return out, err
}

// Accounts gives a page of the accounts of a company.
func (c *Client) Accounts(ctx context.Context, company string, f AccountFilter) (AccountPage, error) {
	var out AccountPage
	err := c.send(ctx, http.MethodGet, &out, nil, f.values(), "companies", company, "accounts")
	return out, err
}

// Account gives the account with the id, user name or externalId.
func (c *Client) Account(ctx context.Context, company, account string) (Account, error) {
	var out Account
	err := c.do(ctx, http.MethodGet, &out, nil, "companies", company, "accounts", account)
	return out, err
}

// Explain says which license a person has and why, and whether they may sign in.
func (c *Client) Explain(ctx context.Context, company, account string) (licensing.Explanation, error) {
	var out licensing.Explanation
	err := c.do(ctx, http.MethodGet, &out, nil, "companies", company, "accounts", account, "explain")
	return out, err
}

// ChangeAccount promotes or demotes a person, or gives a role.
func (c *Client) ChangeAccount(ctx context.Context, company, account string, in AccountChange) (Account, error) {
	var out Account
	err := c.do(ctx, http.MethodPatch, &out, in, "companies", company, "accounts", account)
	return out, err
}

// Assign gives a license to a person.
func (c *Client) Assign(ctx context.Context, company, account string, in Assignment) (Account, error) {
	var out Account
	err := c.do(ctx, http.MethodPut, &out, in, "companies", company, "accounts", account, "license")
	return out, err
}

// Unassign takes back what Assign has said; what the identity provider asks for holds again.
func (c *Client) Unassign(ctx context.Context, company, account string) error {
	return c.do(ctx, http.MethodDelete, nil, nil, "companies", company, "accounts", account, "license")
}

// Decide approves or refuses what a person's sources ask for.
func (c *Client) Decide(ctx context.Context, company, account string, in Decision) (Account, error) {
	var out Account
	err := c.do(ctx, http.MethodPut, &out, in, "companies", company, "accounts", account, "decision")
	return out, err
}

// AddRule gives a license by a rule.
func (c *Client) AddRule(ctx context.Context, company string, in NewRule) (Rule, error) {
	var out Rule
	err := c.do(ctx, http.MethodPost, &out, in, "companies", company, "rules")
	return out, err
}

// ForecastRule says what AddRule would do.
func (c *Client) ForecastRule(ctx context.Context, company string, in NewRule) (licensing.Forecast, error) {
	var out licensing.Forecast
	err := c.do(ctx, http.MethodPut, &out, in, "companies", company, "rules", "forecast")
	return out, err
}

// ForecastRemoval says what RemoveRule would do.
func (c *Client) ForecastRemoval(ctx context.Context, company, id string) (licensing.Forecast, error) {
	var out licensing.Forecast
	err := c.do(ctx, http.MethodGet, &out, nil, "companies", company, "rules", id, "forecast")
	return out, err
}

// Rules lists the license rules of a company, those that win first.
func (c *Client) Rules(ctx context.Context, company string) ([]Rule, error) {
	var out list[Rule]
	err := c.do(ctx, http.MethodGet, &out, nil, "companies", company, "rules")
	return out.Items, err
}

// RemoveRule takes a license rule away.
func (c *Client) RemoveRule(ctx context.Context, company, id string) error {
	return c.do(ctx, http.MethodDelete, nil, nil, "companies", company, "rules", id)
}

// Schemas lists the schemas that a company has declared.
func (c *Client) Schemas(ctx context.Context, company string) ([]Schema, error) {
	var out list[Schema]
	err := c.do(ctx, http.MethodGet, &out, nil, "companies", company, "schemas")
	return out.Items, err
}

// PutSchema declares a schema for a resource type, or extends the one that it declared before.
func (c *Client) PutSchema(ctx context.Context, company, resourceType string, document json.RawMessage) (Schema, error) {
	var out Schema
	err := c.do(ctx, http.MethodPut, &out, document, "companies", company, "schemas", resourceType)
	return out, err
}

// RemoveSchema takes a schema away.
func (c *Client) RemoveSchema(ctx context.Context, company, urn string) error {
	return c.do(ctx, http.MethodDelete, nil, nil, "companies", company, "schemas", urn)
}

// Licenses gives the numbers of a company's pools.
func (c *Client) Licenses(ctx context.Context, company string) ([]License, error) {
	var out list[License]
	err := c.do(ctx, http.MethodGet, &out, nil, "companies", company, "licenses")
	return out.Items, err
}

// SetSeats sets how many seats of a license a company has; overAssign: although more are in use.
func (c *Client) SetSeats(ctx context.Context, company, license string, total int, overAssign bool) (License, error) {
	var out License
	err := c.do(ctx, http.MethodPut, &out, Seats{Total: &total, OverAssign: overAssign}, "companies", company, "licenses", license)
	return out, err
}

// SetCeiling sets how far the seats of a license may grow by themselves when somebody needs one; 0: not at all.
func (c *Client) SetCeiling(ctx context.Context, company, license string, ceiling int) (License, error) {
	var out License
	err := c.do(ctx, http.MethodPut, &out, Ceiling{ceiling}, "companies", company, "licenses", license, "ceiling")
	return out, err
}

// AddPeople adds one or several people.
func (c *Client) AddPeople(ctx context.Context, company string, in NewPeople) (AddedPeople, error) {
	var out AddedPeople
	err := c.do(ctx, http.MethodPost, &out, in, "companies", company, "accounts")
	return out, err
}

// PreviewPeople says what AddPeople would do.
func (c *Client) PreviewPeople(ctx context.Context, company string, in NewPeople) (AddedPeople, error) {
	var out AddedPeople
	err := c.do(ctx, http.MethodPut, &out, in, "companies", company, "accounts", "preview")
	return out, err
}

// Invite sends a person an invitation, or another one.
func (c *Client) Invite(ctx context.Context, company, account string) (Account, error) {
	var out Account
	err := c.do(ctx, http.MethodPost, &out, nil, "companies", company, "accounts", account, "invitation")
	return out, err
}

// AssignCredentials gives a person a password.
func (c *Client) AssignCredentials(ctx context.Context, company, account string, in Credentials) (AssignedCredentials, error) {
	var out AssignedCredentials
	err := c.do(ctx, http.MethodPut, &out, in, "companies", company, "accounts", account, "credentials")
	return out, err
}

// DeleteAccount removes a person for good.
func (c *Client) DeleteAccount(ctx context.Context, company, account string) error {
	return c.do(ctx, http.MethodDelete, nil, nil, "companies", company, "accounts", account)
}

// Mails gives a page of the outbox.
func (c *Client) Mails(ctx context.Context, company string, f MailFilter) (MailPage, error) {
	parameters := map[string]string{"account": f.Account, "after": f.After}
	if f.Limit != 0 {
		parameters["limit"] = strconv.Itoa(f.Limit)
	}
	var out MailPage
	err := c.send(ctx, http.MethodGet, &out, nil, parameters, "companies", company, "mails")
	return out, err
}

// Domains lists the verified domains of a company.
func (c *Client) Domains(ctx context.Context, company string) ([]Domain, error) {
	var out list[Domain]
	err := c.do(ctx, http.MethodGet, &out, nil, "companies", company, "domains")
	return out.Items, err
}

// AddDomain verifies a domain.
func (c *Client) AddDomain(ctx context.Context, company string, in NewDomain) (Domain, error) {
	var out Domain
	err := c.do(ctx, http.MethodPost, &out, in, "companies", company, "domains")
	return out, err
}

// RemoveDomain gives a domain up.
func (c *Client) RemoveDomain(ctx context.Context, company, domain string) error {
	return c.do(ctx, http.MethodDelete, nil, nil, "companies", company, "domains", domain)
}

// Undo undoes a change set and says what came of each change in it.
func (c *Client) Undo(ctx context.Context, company string, in Undoing) ([]Undone, error) {
	var out list[Undone]
	err := c.do(ctx, http.MethodPost, &out, in, "companies", company, "undo")
	return out.Items, err
}

// PreviewUndo says what Undo would do.
func (c *Client) PreviewUndo(ctx context.Context, company string, in Undoing) ([]Undone, error) {
	var out list[Undone]
	err := c.do(ctx, http.MethodPut, &out, in, "companies", company, "undo", "preview")
	return out.Items, err
}

// Events gives a page of the audit log.
func (c *Client) Events(ctx context.Context, company string, f EventFilter) (EventPage, error) {
	parameters := map[string]string{"after": f.After}
	if f.Limit != 0 {
		parameters["limit"] = strconv.Itoa(f.Limit)
	}
	var out EventPage
	err := c.send(ctx, http.MethodGet, &out, nil, parameters, "companies", company, "events")
	return out, err
}

// do sends one request and decodes the answer. in and out may be nil.
func (c *Client) do(ctx context.Context, method string, out, in any, path ...string) error {
	return c.send(ctx, method, out, in, nil, path...)
}

// send is do with parameters, of which the empty ones are left out.
func (c *Client) send(ctx context.Context, method string, out, in any, parameters map[string]string, path ...string) error {
	u := url.URL{Scheme: "http", Host: "usher", Path: "/v1"}
	var body io.Reader = http.NoBody
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	for i, segment := range path {
		path[i] = url.PathEscape(segment)
	}
	target := u.JoinPath(path...)
	values := target.Query()
	for name, value := range parameters {
		if value != "" {
			values.Set(name, value)
		}
	}
	target.RawQuery = values.Encode()
	req, err := http.NewRequestWithContext(ctx, method, target.String(), body)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.Header.Set(operatorHeader, c.operator)
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("cannot speak to the server: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 400 {
		p := &Problem{}
		if err := json.NewDecoder(resp.Body).Decode(p); err != nil || p.Detail == "" {
			return fmt.Errorf("the server answered with status %d", resp.StatusCode)
		}
		return p
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	return nil
}

// inProcess carries requests to a handler without a network.
type inProcess struct{ handler http.Handler }

// RoundTrip answers a request by calling the handler.
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := &recorder{header: http.Header{}, status: http.StatusOK}
	t.handler.ServeHTTP(rec, r)
	return &http.Response{
		Status: http.StatusText(rec.status), StatusCode: rec.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: rec.header, Body: io.NopCloser(&rec.body), ContentLength: int64(rec.body.Len()), Request: r,
	}, nil
}

// recorder keeps what a handler answers.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
