package licensing

import (
	"context"
	"fmt"

	"usher/store"
	"usher/store/query"
)

// CompanyForecast says what a change of settings would do to single sign-on, without doing it. Licenses and seats stay whatever the tier.
type CompanyForecast struct {
	Gain    int            `json:"gain"`    // people who could sign in through the identity provider
	Lose    int            `json:"lose"`    // people who could no more, and whose sessions end
	Without int            `json:"without"` // of those who lose it: who have no password to sign in with instead
	Waiting int            `json:"waiting"` // who wait for a seat, and go on waiting
	Shifts  []CompanyShift `json:"shifts"`  // the first of those who gain or lose it
}

// CompanyShift is one of them.
type CompanyShift struct {
	Account  string `json:"account"` // id
	UserName string `json:"user_name"`
	Display  string `json:"display"`
	SSO      bool   `json:"sso"` // whether they could sign in then
	Password bool   `json:"password"`
}

// ForecastCompany says what SetCompany would do. Its errors are those of the change.
func (d *Directory) ForecastCompany(ctx context.Context, c Change, do SetCompany) (CompanyForecast, error) {
	c.Do = do
	if err := mayDo(c); err != nil {
		return CompanyForecast{}, err
	}
	was, err := d.store.Company(ctx, c.Company)
	if err != nil {
		return CompanyForecast{}, fmt.Errorf("company %s: %w", c.Company, err)
	}
	is := do.on(was)
	if err := checkCompany(&is); err != nil {
		return CompanyForecast{}, err
	}
	f := CompanyForecast{Shifts: []CompanyShift{}}
	for _, l := range paid() {
		pool, err := d.store.Pool(ctx, c.Company, string(l))
		if err != nil {
			return f, fmt.Errorf("pool of %s: %w", l, err)
		}
		f.Waiting += pool.Waiting
		if !product(l).Entitlements.SSO {
			continue
		}
		if err := d.eachWith(ctx, c.Company, l, func(a store.Account) { f.note(was, is, a) }); err != nil {
			return f, err
		}
	}
	return f, nil
}

// eachWith gives those whose license in effect is one.
func (d *Directory) eachWith(ctx context.Context, company string, l License, do func(store.Account)) error {
	q := store.Query{
		Filter: query.Leaf{Path: store.ColumnEffective, Op: query.Equal, Type: query.String, Fold: true, Value: string(l)}, Limit: chunk,
	}
	for {
		page, err := d.store.ListAccounts(ctx, company, q)
		if err != nil {
			return fmt.Errorf("people with %s: %w", l, err)
		}
		for _, a := range page.Accounts {
			do(a)
		}
		if len(page.Accounts) < q.Limit {
			return nil
		}
		q.After = page.Accounts[len(page.Accounts)-1].ID
	}
}

// note counts what the change would do to one person.
func (f *CompanyForecast) note(was, is store.Company, a store.Account) {
	could, can := Evaluate(was, a).SSO, Evaluate(is, a).SSO
	switch {
	case could == can:
		return
	case can:
		f.Gain++
	default:
		f.Lose++
		if a.Password == "" {
			f.Without++
		}
	}
	if len(f.Shifts) < shown {
		f.Shifts = append(f.Shifts, CompanyShift{a.ID, a.UserName, a.Display, can, a.Password != ""})
	}
}
