package licensing

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"

	"usher/store"
	"usher/store/query"
)

// MailLosses is the kind of the mail that tells admins of a connection that was stopped. Its data is a [LossAlert].
const MailLosses = "losses"

// LossAlert is what that mail says.
type LossAlert struct {
	Company    string `json:"company"` // display name
	Name       string `json:"name"`    // short name
	Connection string `json:"connection"`
	Lost       int    `json:"lost"`  // people who have lost something within the hour
	Limit      int    `json:"limit"` // how many may
}

// alerted is how many admins are written to at most.
const alerted = 50

// alert writes to the admins of a company: to the people with a role, and to local admins, as far as their names are addresses. That it
// fails undoes nothing: the connection is stopped, and the next steps say so too.
func (d *Directory) alert(ctx context.Context, s situation, text LossAlert) {
	addresses, err := d.adminAddresses(ctx, s.company.ID)
	if err == nil && len(addresses) > 0 {
		err = d.postAlert(ctx, s, text, addresses)
	}
	if err != nil {
		d.log.LogAttrs(ctx, slog.LevelError, "the admins were not written to", slog.String("company", s.company.Name), slog.String("error", err.Error()))
	}
}

func (d *Directory) postAlert(ctx context.Context, s situation, text LossAlert, addresses []string) error {
	data, err := json.Marshal(text)
	if err != nil { // it is a struct of this package, which always marshals
		panic(err)
	}
	var mails []store.Mail
	for _, to := range addresses {
		mails = append(mails, store.Mail{
			ID: store.NewID(), Company: s.company.ID, Kind: MailLosses, To: to, Data: data, Created: s.now, State: store.MailQueued, Due: s.now,
		})
	}
	if err := d.store.PostMails(ctx, s.company.ID, mails); err != nil {
		return fmt.Errorf("post: %w", err)
	}
	if d.Posted != nil {
		d.Posted()
	}
	return nil
}

// adminAddresses gives the addresses of a company's admins.
func (d *Directory) adminAddresses(ctx context.Context, company string) ([]string, error) {
	var names []string
	local, err := d.store.ListLocalAdmins(ctx, company)
	if err != nil {
		return nil, fmt.Errorf("local admins: %w", err)
	}
	for _, a := range local {
		names = append(names, a.Login)
	}
	page, err := d.store.ListAccounts(ctx, company, store.Query{
		Filter: query.Leaf{Path: store.ColumnRoleSource, Op: query.Present, Type: query.String}, Limit: 10 * alerted,
	})
	if err != nil {
		return nil, fmt.Errorf("people with a role: %w", err)
	}
	for _, a := range page.Accounts {
		if a.Active && higherRole(a.Role, RoleStandard) > 0 {
			names = append(names, a.UserName)
		}
	}
	slices.Sort(names)
	names = slices.DeleteFunc(slices.Compact(names), func(name string) bool { return !plainAddress(name) })
	return names[:min(len(names), alerted)], nil
}
