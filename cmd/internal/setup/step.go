package setup

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"usher/cmd/internal/credential"
	"usher/licensing"
	"usher/store"
)

// maxName is how many bytes a part of a name has at most.
const maxName = 200

// take carries out the step that a form has filled in.
func (h *Handler) take(r *http.Request, p *page, l link, company store.Company, a store.Account) (store.Account, error) {
	do := licensing.SetUp{ID: a.ID, Link: l.hash, Step: p.Step}
	var err error
	switch p.Step {
	case stepName:
		err = h.takeName(r, p, company, a, &do)
	case stepSignIn:
		err = h.takeSignIn(r, p, a, &do)
	case stepZone:
		err = h.takeZone(r, p, company, &do)
	}
	if err != nil {
		return a, err
	}
	last := func(step string) bool { return step == do.Step || slices.Contains(a.Done, step) }
	do.Finish = p.Step == stepZone && !slices.ContainsFunc(steps(), func(s string) bool { return !last(s) })
	result, err := h.Directory.Apply(r.Context(), licensing.Change{
		Company: company.ID, Actor: store.Actor{Kind: "person", ID: a.ID}, Door: licensing.DoorSetup, Request: store.NewID(), Do: do,
	})
	return result.Account, err
}

func (h *Handler) takeName(r *http.Request, p *page, company store.Company, a store.Account, do *licensing.SetUp) (err error) {
	was := strings.TrimSpace(p.Given + " " + p.Family)
	p.Given, p.Family = strings.TrimSpace(r.PostFormValue("given")), strings.TrimSpace(r.PostFormValue("family"))
	if p.Given == "" && p.Family == "" {
		return input("Enter your name, please.")
	}
	if len(p.Given) > maxName || len(p.Family) > maxName {
		return input("That name is too long.")
	}
	name := map[string]any{"givenName": nil, "familyName": nil, "formatted": nil}
	if p.Given != "" {
		name["givenName"] = p.Given
	}
	if p.Family != "" {
		name["familyName"] = p.Family
	}
	attributes := map[string]any{"name": name}
	if a.Display == was || a.Display == "" || strings.EqualFold(a.Display, a.UserName) { // nobody has chosen another
		attributes["displayName"] = strings.TrimSpace(p.Given + " " + p.Family)
	}
	do.Edit, err = h.Users.Edit(r.Context(), company.ID, attributes)
	return err
}

func (h *Handler) takeSignIn(r *http.Request, p *page, a store.Account, do *licensing.SetUp) error {
	if r.PostFormValue("how") == "company" {
		if !p.SignOn {
			return input("Your license does not include signing in with your company. Choose a password, please.")
		}
		do.Forget = true
		return nil
	}
	password := r.PostFormValue("password")
	if wrong := credential.WrongLength(password); wrong != "" {
		return input(wrong)
	}
	switch {
	case strings.EqualFold(password, a.UserName) || strings.EqualFold(password, p.Address) || strings.EqualFold(password, a.Display):
		return input("Your name and your address are not a secret. Choose another password, please.")
	case password != r.PostFormValue("again"):
		return input("The two passwords differ.")
	}
	hash, err := h.Hasher.Hash(r.Context(), password)
	if err != nil {
		return fmt.Errorf("hash: %w", err)
	}
	do.Password = hash
	return nil
}

func (h *Handler) takeZone(r *http.Request, p *page, company store.Company, do *licensing.SetUp) (err error) {
	p.Zone = strings.TrimSpace(r.PostFormValue("zone"))
	if _, err := time.LoadLocation(p.Zone); err != nil || p.Zone == "" || p.Zone == "Local" {
		return input(`That is not a time zone. Choose one from the list, such as "Europe/Berlin".`)
	}
	do.Edit, err = h.Users.Edit(r.Context(), company.ID, map[string]any{"timezone": p.Zone})
	return err
}
