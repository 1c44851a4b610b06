package adminapi

import (
	"context"
	"fmt"
	"time"

	"usher/licensing"
	"usher/store"
	"usher/store/query"
)

// NextStep is something that waits for an admin.
type NextStep struct {
	Code  string `json:"code"`
	Count int    `json:"count,omitempty"` // of people, where it is about people
	Text  string `json:"text"`            // one sentence
	Fix   string `json:"fix"`             // what to do, as a command where there is one
}

// soon is how long before something ends it is something to see to.
const soon = 30 * 24 * time.Hour

// nextSteps lists what waits for an admin, the most urgent first. It follows from what is stored, so nobody has to tick anything off.
func (h *Handler) nextSteps(ctx context.Context, c call, company store.Company) (any, error) {
	steps := list[NextStep]{Items: []NextStep{}}
	for _, find := range []func(context.Context, call, store.Company) ([]NextStep, error){
		h.stoppedConnections, h.paymentSteps, h.adminSteps, h.tokenSteps, h.seatSteps, h.peopleSteps, h.mailSteps,
	} {
		found, err := find(ctx, c, company)
		if err != nil {
			return nil, err
		}
		steps.Items = append(steps.Items, found...)
	}
	return steps, nil
}

func (h *Handler) stoppedConnections(ctx context.Context, c call, company store.Company) (steps []NextStep, err error) {
	connections, err := h.store.ListConnections(ctx, company.ID)
	if err != nil {
		return nil, fmt.Errorf("list connections: %w", err)
	}
	for _, connection := range connections {
		switch connection.Breaker {
		case licensing.BreakerTripped:
			if c.now.Sub(connection.BreakerSince) < time.Hour {
				steps = append(steps, NextStep{
					Code: "losses_stopped",
					Text: fmt.Sprintf("The connection %s took something away from so many people that it was stopped.", connection.Name),
					Fix:  fmt.Sprintf("usher connection set --company %s --connection %q --losses pass, or refuse", company.Name, connection.Name),
				})
			}
		case licensing.BreakerRefusing:
			steps = append(steps, NextStep{
				Code: "losses_refused",
				Text: fmt.Sprintf("What the connection %s takes away from people is refused.", connection.Name),
				Fix:  fmt.Sprintf("Look at the identity provider, then: usher connection set --company %s --connection %q --losses watch", company.Name, connection.Name),
			})
		}
		if connection.Mode == store.ModePaused {
			steps = append(steps, NextStep{
				Code: "connection_paused", Text: fmt.Sprintf("The connection %s is paused, so nothing of it is carried out.", connection.Name),
				Fix: fmt.Sprintf("usher connection set --company %s --connection %q --mode live", company.Name, connection.Name),
			})
		}
	}
	return steps, nil
}

func (h *Handler) paymentSteps(_ context.Context, c call, company store.Company) ([]NextStep, error) {
	fix := fmt.Sprintf("Settle it, then: usher company set %s --payment ok", company.Name)
	until := company.PaymentAt.Format(time.DateOnly)
	switch {
	case company.Payment == licensing.PaymentSuspended:
		return []NextStep{{Code: "payment_suspended", Text: "A payment is overdue: nobody is added, no seat is given, and single sign-on has ended.", Fix: fix}}, nil
	case company.Payment == licensing.PaymentPastDue && company.PaymentAt.IsZero():
		return []NextStep{{Code: "payment_past_due", Text: "A payment is overdue: nobody is added and no seat is given.", Fix: fix}}, nil
	case company.Payment == licensing.PaymentPastDue:
		text := "A payment is overdue: nobody is added and no seat is given, and single sign-on ends on " + until + "."
		return []NextStep{{Code: "payment_past_due", Text: text, Fix: fix}}, nil
	case company.Payment == licensing.PaymentExpiring && company.PaymentAt.IsZero():
		return []NextStep{{Code: "card_expiring", Text: "The credit card on file is about to expire.", Fix: "Update it. Access does not change by this."}}, nil
	case company.Payment == licensing.PaymentExpiring:
		verb := "expires"
		if company.PaymentAt.Before(c.now) {
			verb = "has expired"
		}
		return []NextStep{{Code: "card_expiring", Text: fmt.Sprintf("The credit card on file %s on %s.", verb, until), Fix: "Update it. Access does not change by this."}}, nil
	}
	return nil, nil
}

func (h *Handler) adminSteps(ctx context.Context, _ call, company store.Company) ([]NextStep, error) {
	admins, err := h.store.ListLocalAdmins(ctx, company.ID)
	if err != nil {
		return nil, fmt.Errorf("list local admins: %w", err)
	}
	for _, a := range admins {
		if a.Role == licensing.RoleSuperAdmin {
			return nil, nil
		}
	}
	return []NextStep{{
		Code: "last_admin_risk", Text: "There is no local super-admin: an identity provider could lock everybody out.",
		Fix: fmt.Sprintf("usher admin set --company %s --role super-admin LOGIN", company.Name),
	}}, nil
}

func (h *Handler) tokenSteps(ctx context.Context, c call, company store.Company) (steps []NextStep, err error) {
	tokens, err := h.store.ListTokens(ctx, company.ID)
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	names := map[string]string{}
	for _, t := range tokens {
		if t.Expires.IsZero() || t.Expires.Sub(c.now) > soon {
			continue
		}
		if names[t.Connection] == "" {
			connection, err := h.store.Connection(ctx, t.Connection)
			if err != nil {
				return nil, fmt.Errorf("connection %s: %w", t.Connection, err)
			}
			names[t.Connection] = connection.Name
		}
		step := NextStep{
			Code: "token_expiring", Text: fmt.Sprintf("A token of the connection %s ends on %s.", names[t.Connection], t.Expires.Format(time.DateOnly)),
			Fix: fmt.Sprintf("usher token create --company %s --connection %q, enter it in the identity provider, then: usher token revoke --company %s %s",
				company.Name, names[t.Connection], company.Name, t.ID),
		}
		if !t.Expires.After(c.now) {
			step.Code, step.Text = "token_expired", fmt.Sprintf("A token of the connection %s has ended on %s.", names[t.Connection], t.Expires.Format(time.DateOnly))
		}
		steps = append(steps, step)
	}
	return steps, nil
}

func (h *Handler) seatSteps(ctx context.Context, _ call, company store.Company) (steps []NextStep, err error) {
	for _, product := range licensing.Catalog() {
		if !product.Paid {
			continue
		}
		p, err := h.store.Pool(ctx, company.ID, string(product.License))
		if err != nil {
			return nil, fmt.Errorf("pool of %s: %w", product.License, err)
		}
		buy := fmt.Sprintf("usher license seats --company %s %s=%d", company.Name, product.License, max(p.Used, p.Total)+p.Waiting)
		if p.Used > p.Total {
			steps = append(steps, NextStep{
				Code: "over_assigned", Count: p.Used - p.Total, Fix: buy + ", or take licenses away",
				Text: fmt.Sprintf("%d seats of %s are in use and %d were bought; nobody gets one until that is even.", p.Used, product.Name, p.Total),
			})
		}
		if p.Waiting > 0 {
			steps = append(steps, NextStep{
				Code: "people_waiting", Count: p.Waiting, Fix: buy,
				Text: fmt.Sprintf("People wait for a seat of %s: %d.", product.Name, p.Waiting),
			})
		} else if p.Total > 0 && p.Used == p.Total {
			steps = append(steps, NextStep{
				Code: "seats_exhausted", Text: fmt.Sprintf("All %d seats of %s are in use; the next who asks for one waits.", p.Total, product.Name),
				Fix: fmt.Sprintf("usher license seats --company %s %s=N", company.Name, product.License),
			})
		}
		if product.Entitlements.SSO && company.Tier == licensing.TierFree && p.Active+p.Reserved > 0 {
			steps = append(steps, NextStep{
				Code: "tier_without_sso", Count: p.Active + p.Reserved,
				Text: fmt.Sprintf("People have %s, and the company's plan has no single sign-on for them: %d.", product.Name, p.Active+p.Reserved),
				Fix:  fmt.Sprintf("usher company set %s --tier video-pro-plus", company.Name),
			})
		}
	}
	return steps, nil
}

// peopleSteps are the decisions that people wait for.
func (h *Handler) peopleSteps(ctx context.Context, _ call, company store.Company) (steps []NextStep, err error) {
	is := func(column, value string) query.Node {
		return query.Leaf{Path: column, Op: query.Equal, Type: query.String, Fold: column == store.ColumnMemberType || column == store.ColumnLicenseState, Value: value}
	}
	for _, step := range []struct {
		filter query.Node
		NextStep
	}{
		{requested(), NextStep{
			Code: "requests_waiting", Text: "Requests for licenses wait for a Super Admin: %d.",
			Fix: fmt.Sprintf("usher account list --company %s --requests, then approve or refuse", company.Name),
		}},
		{query.And{is(store.ColumnMemberType, string(licensing.GuestMember)), is(store.ColumnLicenseState, store.StateBlocked)}, NextStep{
			Code: "guests_to_decide", Text: "Guests are asked to have a license, which they get when they are promoted: %d.",
			Fix: fmt.Sprintf("usher account list --company %s --guests --state blocked, then promote", company.Name),
		}},
	} {
		page, err := h.store.ListAccounts(ctx, company.ID, store.Query{Filter: step.filter, Total: true})
		if err != nil {
			return nil, fmt.Errorf("count accounts: %w", err)
		}
		if page.Total > 0 {
			step.Count, step.Text = page.Total, fmt.Sprintf(step.Text, page.Total)
			steps = append(steps, step.NextStep)
		}
	}
	return steps, nil
}

// mailSteps are the mails that do not reach people. It looks at the latest only: what is older nobody waits for any more.
func (h *Handler) mailSteps(ctx context.Context, _ call, company store.Company) (steps []NextStep, err error) {
	mails, err := h.store.ListMails(ctx, company.ID, "", "", maxAccounts)
	if err != nil {
		return nil, fmt.Errorf("list mails: %w", err)
	}
	count := map[string]int{}
	latest := map[string]bool{} // of each person: an invitation that was sent again after all is nobody's concern
	for _, m := range mails {
		if !latest[m.Account] {
			count[m.State]++
		}
		latest[m.Account] = true
	}
	list := "usher mail list --company " + company.Name
	if n := count[store.MailDead]; n > 0 {
		steps = append(steps, NextStep{
			Code: "mails_dead", Count: n, Text: fmt.Sprintf("Mails to people could not be sent: %d.", n), Fix: list + ", then usher account invite",
		})
	}
	if n := count[store.MailQueued]; n > 0 && !h.sendsMail {
		steps = append(steps, NextStep{
			Code: "mails_held", Count: n, Text: fmt.Sprintf("Mails to people wait for a mail server to be configured: %d.", n),
			Fix: "Set [mail] in the configuration and start the server again, or: usher account credentials",
		})
	}
	return steps, nil
}
