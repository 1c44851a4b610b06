package sso

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"usher/licensing"
	"usher/store"
	"usher/store/query"
)

const (
	maxLogin = 1024 // bytes
	// How often somebody may try a password: for one login from one network, and for one login wherever the tries come from.
	triesOfLogin = 5
	triesOfAll   = 50
)

// passwordForm is what the form for signing in with a password shows.
type passwordForm struct {
	Company, UserName, Return string
	Change                    bool // somebody else has chosen the password: a new one is asked for
}

const passwordTitle = "Sign in with your password"

// passwordPage shows the form.
func (x *exchange) passwordPage() error {
	q := x.r.URL.Query()
	back, _ := returnPath(q.Get("return"))
	x.render(page{Kind: "password", Title: passwordTitle, Data: passwordForm{Company: q.Get("company"), Return: back}})
	return nil
}

// password lets somebody in by the password of their account. The answer to every try that fails is the same, and takes as long.
func (x *exchange) password() error {
	if err := x.r.ParseForm(); err != nil {
		return &denial{reason: licensing.StateUnknown, kind: "form", err: err}
	}
	form := x.r.PostForm
	back, _ := returnPath(form.Get("return"))
	shown := passwordForm{Company: cut(form.Get("company")), UserName: form.Get("user"), Return: back}
	name, login := strings.ToLower(strings.TrimSpace(form.Get("company"))), query.Fold(strings.TrimSpace(form.Get("user")))
	if len(login) > maxLogin || len(name) > maxHome {
		return x.wrongPassword(shown)
	}
	if err := x.mayTry(name, login); err != nil {
		return err
	}
	account, err := x.whoHas(name, login)
	if err != nil {
		return err
	}
	right, err := x.Hasher.Verify(x.ctx, account.Password, form.Get("password")) // also where there is nobody, so that it takes as long
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if !right || account.Activation != store.ActivationActive {
		x.noteWrong(account)
		return x.wrongPassword(shown)
	}
	x.person = account.ID
	step, right, err := x.rightCode(account, form.Get("code"))
	if err != nil {
		return err
	}
	if !right {
		x.noteWrong(account)
		return x.wrongPassword(shown)
	}
	// Whoever may not sign in with it need not choose another.
	change := licensing.Evaluate(x.company, account).Password && account.MustChange
	if change {
		if wrong := x.wrongChoice(account); wrong != "" { // the code is used up only with the form that is complete
			return x.askChange(shown, wrong)
		}
	}
	if account.TOTP != "" {
		_, err := x.Directory.Apply(x.ctx, x.ownChange(account, licensing.UseTOTP{ID: account.ID, Step: step}))
		if errors.Is(err, store.ErrVersion) { // somebody was faster
			x.noteWrong(account)
			return x.wrongPassword(shown)
		}
		if err != nil {
			return err
		}
	}
	if change {
		if account, err = x.changePassword(account, shown); err != nil || account.ID == "" {
			return err
		}
	}
	return x.letInByPassword(account, back)
}

// mayTry refuses who tries too often.
func (x *exchange) mayTry(company, login string) error {
	if err := x.limit("passwords\x00"+x.network(), x.Rates.Callbacks); err != nil {
		return err
	}
	for _, l := range []struct {
		what  string
		every time.Duration
		burst int
	}{
		{"password of one\x00" + company + "\x00" + login + "\x00" + x.network(), time.Minute, triesOfLogin},
		{"password of all\x00" + company + "\x00" + login, 10 * time.Second, triesOfAll},
	} {
		if x.Wait(l.what, l.every, l.burst, x.now) > 0 {
			return deny(licensing.RateLimited)
		}
	}
	return nil
}

// whoHas finds the account with a login; the zero one where there is none.
func (x *exchange) whoHas(name, login string) (store.Account, error) {
	company, err := x.Store.CompanyByName(x.ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return store.Account{}, nil
	}
	if err != nil {
		return store.Account{}, fmt.Errorf("company: %w", err)
	}
	x.company = company
	a, err := x.Store.AccountByUserName(x.ctx, company.ID, login)
	if errors.Is(err, store.ErrNotFound) {
		return store.Account{}, nil
	}
	if err != nil {
		return a, fmt.Errorf("account: %w", err)
	}
	return a, nil
}

func (x *exchange) wrongPassword(shown passwordForm) error {
	x.code, x.status = string(licensing.PasswordWrong), http.StatusUnauthorized
	x.render(page{Kind: "password", Title: passwordTitle, Wrong: licensing.PasswordWrong.Told(), Data: shown})
	return nil
}

// noteWrong writes a wrong try to the audit log of the company, where there is one.
func (x *exchange) noteWrong(a store.Account) {
	if x.company.ID == "" {
		x.noted = true // so that the page is the same
		return
	}
	x.note(licensing.Refused{Account: a.ID, Code: string(licensing.PasswordWrong)})
	x.noted = true
}

// rightCode says whether the one-time password is right of a person who has set that up, and of which step it is.
func (x *exchange) rightCode(a store.Account, code string) (step int64, right bool, err error) {
	if a.TOTP == "" {
		return 0, true, nil
	}
	return x.CheckCode(a, code, x.now)
}

// ownChange is a change that a person makes of their own account.
func (x *exchange) ownChange(a store.Account, do licensing.Operation) licensing.Change {
	return licensing.Change{Company: a.Company, Actor: store.Actor{Kind: "person", ID: a.ID}, Door: licensing.DoorSignIn, Request: x.ref, Do: do}
}

// wrongChoice says what is wrong with the password that a person chooses in the place of one that somebody else has chosen.
func (x *exchange) wrongChoice(a store.Account) string {
	form := x.r.PostForm
	switch chosen := form.Get("new"); {
	case chosen == "":
		return "Choose a password, please."
	case chosen == form.Get("password"):
		return "Choose another password than the one you were given, please."
	case chosen != form.Get("again"):
		return "The two passwords differ."
	case strings.EqualFold(chosen, a.UserName) || strings.EqualFold(chosen, a.Display):
		return "Your name is not a secret. Choose another password, please."
	default:
		return x.CheckPassword(chosen)
	}
}

// askChange shows the form in which a person chooses a password.
func (x *exchange) askChange(shown passwordForm, wrong string) error {
	shown.Change = true
	p := page{Kind: "password", Title: "Choose your password", Lead: "Somebody else has chosen the one that you were given.", Data: shown}
	if x.r.PostForm.Get("new") != "" {
		p.Wrong, x.status = wrong, http.StatusUnprocessableEntity
	}
	x.render(p)
	return nil
}

// changePassword gives a person the password that they have chosen. The zero account: somebody else was faster, and that is answered.
func (x *exchange) changePassword(a store.Account, shown passwordForm) (store.Account, error) {
	hash, err := x.Hasher.Hash(x.ctx, x.r.PostForm.Get("new"))
	if err != nil {
		return a, fmt.Errorf("hash: %w", err)
	}
	r, err := x.Directory.Apply(x.ctx, x.ownChange(a, licensing.SetPassword{ID: a.ID, Own: true, Password: hash, Replaces: a.Password}))
	if errors.Is(err, store.ErrVersion) { // somebody else has changed it meanwhile
		return store.Account{}, x.wrongPassword(shown)
	}
	return r.Account, err
}

func (x *exchange) letInByPassword(a store.Account, back string) error {
	token := random()
	out, err := x.Directory.SignIn(x.ctx, licensing.SignIn{
		Company: a.Company, Request: x.ref, Account: a.ID, Password: a.Password,
		Session: store.Session{Hash: digest(token), Address: x.address(), Agent: cutTo(x.r.UserAgent(), maxAgent)},
	})
	if err != nil {
		return err
	}
	if err := x.endFormer([32]byte{}); err != nil {
		return err
	}
	x.setSession(token, out.Session)
	if back == "" {
		back = Path + "/me"
	}
	return x.redirect(back)
}
