package sso

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"usher/licensing"
	"usher/store"
	"usher/store/query"
)

// maxHome is how long may be what a person is found by, in bytes.
const maxHome = 320

// home asks for a work address or for the company.
func (x *exchange) home() error {
	x.render(page{Kind: "home", Title: "Sign in", Data: x.r.URL.Query().Get("return")})
	return nil
}

// way is where a person goes on to, in a form that says nothing.
type way struct{ Address string }

// findHome finds a person's company by what they have entered. What it has found, if anything, is told by going there: the answer is the
// same for whoever is known and whoever is not.
func (x *exchange) findHome() error {
	if err := x.limit("look-ups\x00"+x.network(), x.Rates.Starts); err != nil {
		return err
	}
	if err := x.r.ParseForm(); err != nil {
		return &denial{reason: licensing.StateUnknown, kind: "form", err: err}
	}
	entered := strings.TrimSpace(x.r.PostForm.Get("who"))
	if entered == "" || len(entered) > maxHome {
		x.status = 422
		x.render(page{Kind: "home", Title: "Sign in", Wrong: "Enter your work e-mail address, or the name of your company.", Data: x.r.PostForm.Get("return")})
		return nil
	}
	company, err := x.companyOf(entered)
	if err != nil {
		return err
	}
	hint := ""
	if strings.Contains(entered, "@") {
		hint = entered
	}
	back, _ := returnPath(x.r.PostForm.Get("return"))
	// The name is padded, so that its length tells nothing.
	const longest = 63
	sealed := x.Sealer.Seal(company+strings.Repeat(" ", max(longest-len(company), 0)), homeOwner)
	query := url.Values{"to": {sealed}, "login_hint": {hint}, "return": {back}}
	x.render(page{Kind: "continue", Title: "Continue to your company's sign-in", Data: way{Path + "/continue?" + query.Encode()}})
	return nil
}

const homeOwner = "home-realm"

// companyOf gives the short name of the company that a person has named or has an address in; empty for none, and for one that lets nobody
// sign in.
func (x *exchange) companyOf(entered string) (string, error) {
	c, err := x.lookUp(entered)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("company: %w", err)
	}
	x.company = c
	defer func() { x.company = store.Company{} }() // the page says nothing of it
	_, err = x.activeConnections()
	if denialOf(err).reason != "" || c.Tier != licensing.TierVideoProPlus {
		return "", nil
	}
	return c.Name, err
}

func (x *exchange) lookUp(entered string) (store.Company, error) {
	_, domain, address := strings.Cut(entered, "@")
	if !address {
		return x.Store.CompanyByName(x.ctx, strings.ToLower(entered))
	}
	id, err := x.Store.DomainOwner(x.ctx, strings.TrimSuffix(query.Fold(domain), "."))
	if err != nil {
		return store.Company{}, err
	}
	return x.Store.Company(x.ctx, id)
}

// goHome sends a person to the sign-in of the company that was found.
func (x *exchange) goHome() error {
	query := x.r.URL.Query()
	name, err := x.Sealer.Open(query.Get("to"), homeOwner)
	if name = strings.TrimSpace(name); err != nil || name == "" {
		return deny(licensing.UnknownCompany)
	}
	to := url.Values{}
	for _, keep := range []string{"login_hint", "return"} {
		if v := query.Get(keep); v != "" {
			to.Set(keep, v)
		}
	}
	address := Path + "/" + url.PathEscape(name)
	if len(to) > 0 {
		address += "?" + to.Encode()
	}
	return x.redirect(address)
}
