package cli

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"usher/cmd/internal/adminapi"
	"usher/licensing"
)

type companyCreate struct {
	folder
	Name        string         `arg:"" help:"Short name: lower case letters, digits and dashes."`
	Display     string         `help:"Name for people." placeholder:"NAME"`
	Tier        string         `help:"The company's plan: ${enum}." enum:"free,video-pro-plus" default:"free"`
	Seats       map[string]int `help:"Seats of a paid license; may be given several times." placeholder:"LICENSE=N"`
	SeatPolicy  string         `help:"What becomes of a write that finds no seat: ${enum}." enum:"waiting,strict" default:"waiting"`
	GuestPolicy string         `help:"Who is a guest: people with a webmail address, or with any unverified domain (${enum})." enum:"webmail,unverified" default:"webmail"`
	Domain      []string       `help:"A verified domain; may be given several times."`
	Admin       string         `help:"Login of a local super-admin, whom no identity provider can lock out; empty makes none." placeholder:"LOGIN" default:"admin"`
}

func (cmd *companyCreate) Run(env *environment) error {
	// The first company makes the folder.
	if err := os.MkdirAll(cmd.Data, 0o700); err != nil {
		return fmt.Errorf("cannot make the data folder: %w", err)
	}
	return cmd.with(env, func(c *adminapi.Client) error {
		made, err := c.CreateCompany(env.ctx, adminapi.NewCompany{
			Name: cmd.Name, Display: cmd.Display, Tier: cmd.Tier, Seats: cmd.Seats, SeatPolicy: cmd.SeatPolicy,
			GuestPolicy: cmd.GuestPolicy, Domains: cmd.Domain, Admin: cmd.Admin,
		})
		if err != nil {
			return err
		}
		if cmd.JSON {
			return printJSON(env.stdout, made)
		}
		fmt.Fprintf(env.stdout, "The company %s is there.\n", made.Name)
		if made.Admin != "" {
			fmt.Fprintf(env.stdout, "Its local super-admin is %s with the password %s, which is shown only now.\n", made.Admin, made.AdminPassword)
			fmt.Fprintf(env.stdout, "Next: usher token create --company %s --connection okta --assign-licenses\n", made.Name)
		}
		return nil
	})
}

type companySet struct {
	folder
	Name        string  `arg:"" help:"The company's short name."`
	Display     *string `help:"Name for people." placeholder:"NAME"`
	Tier        *string `help:"The company's plan: free or video-pro-plus. Nobody's license changes by it." placeholder:"TIER"`
	SeatPolicy  *string `help:"What becomes of a write that finds no seat: waiting or strict." placeholder:"POLICY"`
	GuestPolicy *string `help:"Which new people are guests: webmail or unverified." placeholder:"POLICY"`
	Approval    *string `help:"Whose requests for licenses wait for an approval: scope (tokens without the right to assign) or always." placeholder:"MODE"`
	Invites     *string `help:"Whom mails invite without being asked to: nobody, or everyone who is provisioned." placeholder:"WHOM"`
	RoleCeiling *string `help:"The highest role that identity providers can give: standard, user-admin or super-admin." placeholder:"ROLE"`
	HoldDays    *int    `help:"How many days the seat of a deactivated person is held while nobody waits." placeholder:"N"`
	LossMin     *int    `help:"How many people a connection may take their access or license from within an hour; 20 unless it is set." placeholder:"N"`
	LossPercent *int    `help:"And how many of a hundred, where that is more; 10 unless it is set, 100 for no limit." placeholder:"N"`
	LocalSignIn *string `help:"Who may sign in with a password: everyone, without-sso (only who cannot use single sign-on) or nobody. What keeps somebody out by it ends all sessions." placeholder:"WHO"`
	SessionIdle *int    `help:"After how many minutes people are signed out who do nothing; 30 unless it is set." placeholder:"MINUTES"`
	SessionMax  *int    `help:"After how many minutes people are signed out in any case; 720 unless it is set." placeholder:"MINUTES"`
	Payment     string  `help:"ok, expiring, past-due (nobody is added, people sign in) or suspended (single sign-on ends)." placeholder:"STATE"`
	Until       string  `help:"With expiring: when the card expires. With past-due: when single sign-on ends." placeholder:"YYYY-MM-DD"`
	Preview     bool    `help:"Say what it would do to single sign-on, and change nothing."`
	Yes         bool    `help:"Although people lose single sign-on by it."`
}

func (cmd *companySet) Run(env *environment) error {
	change := adminapi.CompanyChange{
		Display: cmd.Display, Tier: cmd.Tier, SeatPolicy: cmd.SeatPolicy, GuestPolicy: cmd.GuestPolicy, Invites: cmd.Invites, RoleCeiling: cmd.RoleCeiling, Approval: cmd.Approval, HoldDays: cmd.HoldDays,
		LossMin: cmd.LossMin, LossPercent: cmd.LossPercent, LocalSignIn: cmd.LocalSignIn, SessionIdle: cmd.SessionIdle, SessionMax: cmd.SessionMax,
		Payment: cmd.Payment, Confirm: cmd.Yes,
	}
	if cmd.Until != "" {
		if cmd.Payment == "" {
			return errors.New("--until says when a payment state changes: give --payment with it")
		}
		at, err := time.Parse(time.DateOnly, cmd.Until)
		if err != nil {
			return fmt.Errorf("--until %q is not a day; write it as %s", cmd.Until, time.DateOnly)
		}
		change.PaymentAt = at
	}
	if cmd.Preview {
		return cmd.with(env, func(c *adminapi.Client) error { return cmd.preview(env, c, change) })
	}
	return cmd.with(env, func(c *adminapi.Client) error {
		after, err := c.ChangeCompany(env.ctx, cmd.Name, change)
		if err != nil {
			return err
		}
		if cmd.JSON {
			return printJSON(env.stdout, after)
		}
		fmt.Fprintf(env.stdout, "The company %s is on the tier %s; no seat: %s; guests: %s; seats held for %d days; payment: %s.\n",
			after.Name, after.Tier, after.SeatPolicy, after.GuestPolicy, after.HoldDays, payment(after))
		return nil
	})
}

// preview says what a change would do.
func (cmd *companySet) preview(env *environment, c *adminapi.Client, change adminapi.CompanyChange) error {
	f, err := c.ForecastCompany(env.ctx, cmd.Name, change)
	if err != nil {
		return err
	}
	if cmd.JSON {
		return printJSON(env.stdout, f)
	}
	fmt.Fprintf(env.stdout, "Single sign-on would begin for %d people and end for %d, of whom %d have no password to sign in with instead. Licenses stay as they are; %d people would go on waiting for a seat.\n",
		f.Gain, f.Lose, f.Without, f.Waiting)
	if len(f.Shifts) == 0 {
		return nil
	}
	return printList(env.stdout, false, f.Shifts, "", table.Row{"person", "single sign-on", "has a password"}, func(s licensing.CompanyShift) table.Row {
		return table.Row{s.UserName, map[bool]string{true: "begins", false: "ends"}[s.SSO], s.Password}
	})
}

// payment shows how a company pays.
func payment(c adminapi.Company) string {
	state := cmp.Or(c.Payment, "ok")
	if !c.PaymentAt.IsZero() {
		state += " until " + c.PaymentAt.Format(time.DateOnly)
	}
	return state
}

type companyList struct{ folder }

func (cmd *companyList) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		companies, err := c.Companies(env.ctx)
		if err != nil {
			return err
		}
		return printList(env.stdout, cmd.JSON, companies, "There is no company yet.",
			table.Row{"company", "name", "tier", "no seat", "guests", "payment", "verified domains", "since"},
			func(c adminapi.Company) table.Row {
				return table.Row{c.Name, c.Display, c.Tier, c.SeatPolicy, c.GuestPolicy, payment(c), strings.Join(c.Domains, ", "), day(c.Created, "")}
			})
	})
}

type companyNext struct {
	folder
	Name string `arg:"" help:"The company's short name."`
}

func (cmd *companyNext) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		steps, err := c.NextSteps(env.ctx, cmd.Name)
		if err != nil {
			return err
		}
		return printList(env.stdout, cmd.JSON, steps, "Nothing waits for you: all caught up.", table.Row{"what", "what to do"},
			func(s adminapi.NextStep) table.Row {
				const width = 60
				return table.Row{text.WrapSoft(s.Text, width), text.WrapSoft(s.Fix, width)}
			})
	})
}
