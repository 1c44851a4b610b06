package adminapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"usher/licensing"
	"usher/store"
)

// PersonSession is somebody's session as it is shown.
type PersonSession struct {
	ID       string    `json:"id"`
	Account  string    `json:"account"`   // id
	UserName string    `json:"user_name"` // empty when they are gone
	By       string    `json:"by"`        // "sso" or "password"
	Address  string    `json:"address,omitempty"`
	Agent    string    `json:"agent,omitempty"` // what their browser calls itself
	Good     bool      `json:"good"`            // whether it lets them in
	Reason   string    `json:"reason,omitempty"`
	Since    time.Time `json:"since"`
	Seen     time.Time `json:"seen"`    // when it was last used, to the minute
	Expires  time.Time `json:"expires"` // at the latest
}

// PersonSessionPage is a page of sessions, the latest first.
type PersonSessionPage struct {
	Items []PersonSession `json:"items"`
	Next  string          `json:"next,omitempty"`
}

// listPeopleSessions lists who is signed in.
func (h *Handler) listPeopleSessions(ctx context.Context, c call, company store.Company) (any, error) {
	limit, account, after := pageOfAccounts, "", ""
	for name, values := range c.URL.Query() {
		var err error
		switch name {
		case "after":
			after = values[0]
		case "account":
			account = values[0]
		case "limit":
			limit, err = pageLimit(values[0])
		default:
			err = problem(http.StatusBadRequest, "There is no parameter %q; there are account, after and limit.", name)
		}
		if err != nil {
			return nil, err
		}
	}
	if named := account; named != "" {
		a, err := h.account(ctx, company, named)
		if err != nil {
			return nil, err
		}
		account = a.ID
	}
	sessions, err := h.store.ListSessions(ctx, company.ID, account, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	page := PersonSessionPage{Items: []PersonSession{}}
	for _, s := range sessions {
		shown, err := h.showPersonSession(ctx, c, company, s)
		if err != nil {
			return nil, err
		}
		page.Items = append(page.Items, shown)
	}
	if len(sessions) == limit {
		page.Next = sessions[limit-1].ID
	}
	return page, nil
}

func (h *Handler) showPersonSession(ctx context.Context, c call, company store.Company, s store.Session) (PersonSession, error) {
	shown := PersonSession{ID: s.ID, Account: s.Account, By: "sso", Address: s.Address, Agent: s.Agent, Since: s.Created, Seen: s.Seen, Expires: s.Expires}
	var account *store.Account
	a, err := h.store.Account(ctx, company.ID, s.Account)
	switch {
	case err == nil:
		account, shown.UserName = &a, a.UserName
	case !errors.Is(err, store.ErrNotFound):
		return shown, fmt.Errorf("account %s: %w", s.Account, err)
	}
	var connection *store.Connection
	if s.Connection == "" {
		shown.By = "password"
	} else if n, err := h.store.Connection(ctx, s.Connection); err == nil {
		connection = &n
	} else if !errors.Is(err, store.ErrNotFound) {
		return shown, fmt.Errorf("connection %s: %w", s.Connection, err)
	}
	_, reason := licensing.Holds(company, account, connection, s, c.now)
	shown.Good, shown.Reason = reason == "", string(reason)
	return shown, nil
}

// endPersonSession ends one session.
func (h *Handler) endPersonSession(ctx context.Context, c call, company store.Company) (any, error) {
	id := c.PathValue("id")
	events, err := c.event(licensing.ActionEndSession, id, nil)
	if err != nil {
		return nil, err
	}
	n, err := h.store.EndSessions(ctx, company.ID, store.SessionFilter{ID: id}, events)
	if err == nil && n == 0 {
		err = problem(http.StatusNotFound, "The company %q has no session %q of a person.", company.Name, id)
	}
	return nil, err
}

// endPersonSessions ends all sessions of a person.
func (h *Handler) endPersonSessions(ctx context.Context, c call, company store.Company, a store.Account) (any, error) {
	_, err := h.apply(ctx, c, company.ID, licensing.EndSessions{ID: a.ID})
	return nil, err
}

// unlinkPerson forgets who a person is at the identity provider.
func (h *Handler) unlinkPerson(ctx context.Context, c call, company store.Company, a store.Account) (any, error) {
	if a.Identity.Subject == "" {
		return nil, problem(http.StatusNotFound, "%s is not linked to an identity.", a.UserName)
	}
	_, err := h.apply(ctx, c, company.ID, licensing.Unlink{ID: a.ID})
	return nil, err
}
