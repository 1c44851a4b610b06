package adminapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"usher/licensing"
	"usher/scim"
	"usher/store"
)

// Actions of the events of connections.
const (
	ActionCreateConnection = "connection.create"
	ActionUpdateConnection = "connection.update"
)

func (h *Handler) listConnections(ctx context.Context, _ call, company store.Company) (any, error) {
	connections, err := h.store.ListConnections(ctx, company.ID)
	if err != nil {
		return nil, fmt.Errorf("list connections: %w", err)
	}
	if h.storeQuirks != nil {
		if err := h.storeQuirks(ctx); err != nil {
			return nil, fmt.Errorf("store quirks: %w", err)
		}
	}
	uses, err := h.store.ListQuirks(ctx, company.ID)
	if err != nil {
		return nil, fmt.Errorf("list quirks: %w", err)
	}
	applied := map[string]map[string]QuirkUse{}
	for _, u := range uses {
		if applied[u.Connection] == nil {
			applied[u.Connection] = map[string]QuirkUse{}
		}
		applied[u.Connection][u.Quirk] = QuirkUse{Count: u.Count, First: u.First, Last: u.Last}
	}
	shown := list[Connection]{Items: []Connection{}}
	for _, c := range connections {
		one := showConnection(c)
		one.QuirksApplied = applied[c.ID]
		shown.Items = append(shown.Items, one)
	}
	return shown, nil
}

func (h *Handler) changeConnection(ctx context.Context, c call, company store.Company) (any, error) {
	var in ConnectionChange
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	if c.authority < superAdmin && (in.Mode != "" || in.Strict != nil || len(in.QuirksOff)+len(in.QuirksOn) > 0) {
		return nil, c.lacks(superAdmin) // what is lost by a connection is for every admin to decide
	}
	// The change is a read and a write; two at once must not undo each other.
	h.connections.Lock()
	defer h.connections.Unlock()
	was, err := h.connection(ctx, company, c.PathValue("connection"))
	if err != nil {
		return nil, err
	}
	is, err := h.changeSettings(ctx, c, company, was, in)
	if err != nil {
		return nil, err
	}
	if in.Losses != "" {
		do := licensing.SetBreaker{Connection: is.ID, State: breakerStates()[in.Losses]}
		if _, err := h.apply(ctx, c, company.ID, do); err != nil {
			return nil, fmt.Errorf("breaker of connection %s: %w", is.ID, err)
		}
		if is, err = h.store.Connection(ctx, is.ID); err != nil {
			return nil, fmt.Errorf("connection %s: %w", is.ID, err)
		}
	}
	return showConnection(is), nil
}

// changeSettings stores the settings of a connection that a request changes, and gives it.
func (h *Handler) changeSettings(ctx context.Context, c call, company store.Company, was store.Connection, in ConnectionChange) (store.Connection, error) {
	is := was
	if in.Mode != "" {
		is.Mode = in.Mode
	}
	if in.Strict != nil {
		is.Strict = *in.Strict
	}
	is.QuirksOff = slices.DeleteFunc(append(slices.Clone(was.QuirksOff), in.QuirksOff...), func(name string) bool {
		return slices.Contains(in.QuirksOn, name)
	})
	slices.Sort(is.QuirksOff)
	is.QuirksOff = slices.Compact(is.QuirksOff)
	if is.Mode == was.Mode && is.Strict == was.Strict && slices.Equal(is.QuirksOff, was.QuirksOff) {
		return was, nil
	}
	if is.Mode == store.ModeLive && was.Mode != store.ModeLive {
		if err := h.mayGoLive(ctx, company); err != nil {
			return was, err
		}
	}
	type settings struct {
		Mode      string   `json:"mode"`
		QuirksOff []string `json:"quirks_off"`
		Strict    bool     `json:"strict,omitempty"`
	}
	events, err := c.event(ActionUpdateConnection, is.ID, map[string]settings{
		"from": {was.Mode, shownList(was.QuirksOff), was.Strict}, "to": {is.Mode, shownList(is.QuirksOff), is.Strict},
	})
	if err != nil {
		return was, err
	}
	if err := h.store.UpdateConnection(ctx, is, was, events); err != nil {
		return was, fmt.Errorf("update connection %s: %w", is.ID, err)
	}
	h.changed()
	return is, nil
}

// breakerStates are the states that admins decide on, by the words they use.
func breakerStates() map[string]string {
	return map[string]string{"watch": "", "pass": licensing.BreakerPassing, "refuse": licensing.BreakerRefusing}
}

// check refuses a change that no connection can take.
func (in ConnectionChange) check() error {
	if in.Mode != "" && in.Mode != store.ModeLive && in.Mode != store.ModePaused {
		return problem(http.StatusBadRequest, "A connection cannot be %q; it is %s or %s.", in.Mode, store.ModeLive, store.ModePaused)
	}
	if _, ok := breakerStates()[in.Losses]; in.Losses != "" && !ok {
		return problem(http.StatusBadRequest, "losses cannot be %q; it takes pass, refuse or watch.", in.Losses)
	}
	known := scim.QuirkNames()
	for _, name := range slices.Concat(in.QuirksOff, in.QuirksOn) {
		if !slices.Contains(known, name) {
			return problem(http.StatusBadRequest, "There is no quirk %q; \"usher connection quirks\" lists those there are.", name)
		}
	}
	for _, name := range in.QuirksOff {
		if slices.Contains(in.QuirksOn, name) {
			return problem(http.StatusBadRequest, "The quirk %q cannot be switched off and on at once.", name)
		}
	}
	return nil
}

// connection finds a connection by its name or its id.
func (h *Handler) connection(ctx context.Context, company store.Company, named string) (store.Connection, error) {
	connection, err := h.store.ConnectionByName(ctx, company.ID, named)
	if errors.Is(err, store.ErrNotFound) {
		connection, err = h.store.Connection(ctx, named)
	}
	if errors.Is(err, store.ErrNotFound) || err == nil && connection.Company != company.ID {
		return store.Connection{}, problem(http.StatusNotFound,
			"The company %q has no connection %q; \"usher connection list\" shows those it has.", company.Name, named)
	}
	if err != nil {
		return store.Connection{}, fmt.Errorf("connection %s: %w", named, err)
	}
	return connection, nil
}

// mayGoLive refuses a connection to a company that its identity provider could lock everybody out of.
func (h *Handler) mayGoLive(ctx context.Context, company store.Company) error {
	found, err := h.hasSuperAdmin(ctx, company)
	if err == nil && !found {
		err = problem(http.StatusConflict,
			"The company %q has no local super-admin, and without one its identity provider could lock everybody out: "+
				"make one with \"usher admin set --role super-admin\".", company.Name)
	}
	return err
}

// hasSuperAdmin says whether the company has a local super-admin.
func (h *Handler) hasSuperAdmin(ctx context.Context, company store.Company) (bool, error) {
	admins, err := h.store.ListLocalAdmins(ctx, company.ID)
	if err != nil {
		return false, fmt.Errorf("list local admins: %w", err)
	}
	return slices.ContainsFunc(admins, func(a store.LocalAdmin) bool { return a.Role == licensing.RoleSuperAdmin }), nil
}

// openConnection gives the company's connection of that name and makes it if there is none. A new one is live; one that was paused stays so.
func (h *Handler) openConnection(ctx context.Context, c call, company store.Company, name string) (store.Connection, error) {
	h.connections.Lock()
	defer h.connections.Unlock()
	if err := h.mayGoLive(ctx, company); err != nil {
		return store.Connection{}, err
	}
	if name == "" || len(name) > 64 || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return store.Connection{}, problem(http.StatusBadRequest, "%q cannot be a connection's name: it takes 1 to 64 printable characters.", name)
	}
	connection, err := h.store.ConnectionByName(ctx, company.ID, name)
	if err == nil || !errors.Is(err, store.ErrNotFound) {
		return connection, err
	}
	connection = store.Connection{ID: store.NewID(), Company: company.ID, Name: name, Mode: store.ModeLive, Created: c.now}
	events, err := c.event(ActionCreateConnection, connection.ID, map[string]string{"name": name, "mode": connection.Mode})
	if err != nil {
		return store.Connection{}, err
	}
	err = h.store.CreateConnection(ctx, connection, events)
	var conflict *store.ConflictError
	if errors.As(err, &conflict) { // somebody else has just made it
		return h.store.ConnectionByName(ctx, company.ID, name)
	}
	if err != nil {
		return store.Connection{}, fmt.Errorf("create connection %s: %w", name, err)
	}
	return connection, nil
}

func showConnection(c store.Connection) Connection {
	losses := c.Breaker
	if losses == "" {
		losses = "watched"
	}
	return Connection{Losses: losses, ID: c.ID, Name: c.Name, Mode: c.Mode, QuirksOff: shownList(c.QuirksOff), Strict: c.Strict, Created: c.Created, SignOn: c.SignOn.State}
}

// shownList is a list as it is shown: an empty one is [].
func shownList(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}
