package adminapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"usher/licensing"
	"usher/store"
)

// Undoing names a change set: what one request did, or what a connection did since a time.
type Undoing struct {
	Request    string    `json:"request,omitempty"`    // id, as the audit log has it
	Connection string    `json:"connection,omitempty"` // name or id
	Since      time.Time `json:"since,omitzero"`       // with the connection; 7 days ago at most
}

// Undone is one thing that was undone, or would be.
type Undone struct {
	Action  string           `json:"action"`            // of the event
	Target  string           `json:"target"`            // id of the account, group, rule, or license
	Name    string           `json:"name,omitempty"`    // of an account or a group
	Reason  licensing.Reason `json:"reason,omitempty"`  // why it was not undone
	Problem string           `json:"problem,omitempty"` // the same as a sentence
}

// undoFor is how far back what a connection did is undone.
const undoFor = 7 * 24 * time.Hour

func (h *Handler) undoChanges(ctx context.Context, c call, company store.Company) (any, error) {
	return h.undo(ctx, c, company, false)
}

func (h *Handler) previewUndo(ctx context.Context, c call, company store.Company) (any, error) {
	return h.undo(ctx, c, company, true)
}

func (h *Handler) undo(ctx context.Context, c call, company store.Company, preview bool) (any, error) {
	var in Undoing
	if err := c.read(&in); err != nil {
		return nil, err
	}
	do := licensing.Undo{Request: in.Request, Since: in.Since, Preview: preview}
	switch {
	case (in.Request == "") == (in.Connection == ""):
		return nil, problem(http.StatusBadRequest, "Name either a request or a connection.")
	case in.Connection != "" && (in.Since.Before(c.now.Add(-undoFor)) || in.Since.After(c.now)):
		return nil, problem(http.StatusBadRequest, "since must be within the last %d days.", int(undoFor.Hours()/24))
	case in.Connection != "":
		connections, err := h.store.ListConnections(ctx, company.ID)
		if err != nil {
			return nil, fmt.Errorf("list connections: %w", err)
		}
		at := slices.IndexFunc(connections, func(x store.Connection) bool { return x.ID == in.Connection || x.Name == in.Connection })
		if at < 0 {
			return nil, problem(http.StatusNotFound, "The company %q has no connection %q; \"usher connection list\" shows those it has.", company.Name, in.Connection)
		}
		do.Connection = connections[at].ID
	}
	activate, err := h.activation(ctx, company)
	if err != nil {
		return nil, err
	}
	do.Activate = activate
	r, err := h.apply(ctx, c, company.ID, do)
	if err != nil {
		return nil, err
	}
	shown := list[Undone]{Items: []Undone{}}
	for _, u := range r.Undone {
		name, err := h.nameOf(ctx, company, u.Target)
		if err != nil {
			return nil, err
		}
		shown.Items = append(shown.Items, Undone{u.Action, u.Target, name, u.Reason, u.Reason.Sentence()})
	}
	return shown, nil
}

// activation gives the drafts of people who are to have access again, or no longer.
func (h *Handler) activation(ctx context.Context, company store.Company) (func(store.Account, bool) (licensing.Draft, error), error) {
	edits := map[bool]func(store.Account) (licensing.Draft, error){}
	for _, active := range []bool{false, true} {
		var err error
		if edits[active], err = h.users.Edit(ctx, company.ID, map[string]any{"active": active}); err != nil {
			return nil, err
		}
	}
	return func(before store.Account, active bool) (licensing.Draft, error) { return edits[active](before) }, nil
}

// nameOf gives the name of an account or a group; empty for anything else.
func (h *Handler) nameOf(ctx context.Context, company store.Company, id string) (string, error) {
	a, err := h.store.Account(ctx, company.ID, id)
	if err == nil {
		return cmp.Or(a.Display, a.UserName), nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return "", fmt.Errorf("account %s: %w", id, err)
	}
	g, err := h.store.Group(ctx, company.ID, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", fmt.Errorf("group %s: %w", id, err)
	}
	return g.Display, nil
}
