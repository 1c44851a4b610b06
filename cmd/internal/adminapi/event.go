package adminapi

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"usher/store"
)

// Event is one record of the audit log.
type Event struct {
	Seq     int64           `json:"seq"`
	Time    time.Time       `json:"time"`
	Kind    string          `json:"kind"`
	Action  string          `json:"action"`
	Actor   store.Actor     `json:"actor"`
	By      string          `json:"by"`                // who it was, as people call them
	Door    string          `json:"door,omitempty"`    // the way in
	Request string          `json:"request,omitempty"` // id of the request that caused it
	Target  string          `json:"target,omitempty"`  // id of what was changed
	Detail  json.RawMessage `json:"detail,omitempty"`
	Quirks  []string        `json:"quirks,omitempty"` // departures from the standard that the request needed
}

// EventFilter asks for a part of the audit log.
type EventFilter struct {
	After string // the next of the page before; empty: from the beginning
	Limit int    // 0: 100
}

// EventPage is a page of the audit log.
type EventPage struct {
	Items []Event `json:"items"`
	Next  string  `json:"next,omitempty"` // the value of after for the next page; empty on the last
}

func (h *Handler) listEvents(ctx context.Context, c call, company store.Company) (any, error) {
	after, limit := int64(0), pageOfAccounts
	for name, values := range c.URL.Query() {
		var err error
		switch name {
		case "after":
			if after, err = strconv.ParseInt(values[0], 10, 64); err != nil || after < 0 {
				return nil, problem(http.StatusBadRequest, "after %q is not the number of an event.", values[0])
			}
		case "limit":
			if limit, err = pageLimit(values[0]); err != nil {
				return nil, err
			}
		default:
			return nil, problem(http.StatusBadRequest, "There is no parameter %q; there are after and limit.", name)
		}
	}
	events, err := h.store.ListEvents(ctx, company.ID, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	connections, err := h.store.ListConnections(ctx, company.ID)
	if err != nil {
		return nil, fmt.Errorf("list connections: %w", err)
	}
	names := map[string]string{}
	for _, connection := range connections {
		names[connection.ID] = connection.Name
	}
	page := EventPage{Items: []Event{}}
	for _, e := range events {
		page.Items = append(page.Items, Event{
			Seq: e.Seq, Time: e.Time, Kind: e.Kind, Action: e.Action, Actor: e.Actor, By: cmp.Or(names[e.Actor.ID], e.Actor.ID), Door: e.Door,
			Request: e.Request, Target: e.Target, Detail: e.Detail, Quirks: e.Quirks,
		})
	}
	if len(events) == limit {
		page.Next = strconv.FormatInt(events[limit-1].Seq, 10)
	}
	return page, nil
}
