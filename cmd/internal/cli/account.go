package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"usher/cmd/internal/adminapi"
	"usher/licensing"
)

// person is the flags of a command on one account.
type person struct {
	folder
	Company string `help:"The company." required:"" placeholder:"NAME"`
	Account string `arg:"" help:"The person's user name, id or externalId."`
}

// change calls do and shows the account that comes of it.
func (p person) change(env *environment, do func(c *adminapi.Client) (adminapi.Account, error)) error {
	return p.with(env, func(c *adminapi.Client) error {
		after, err := do(c)
		if err != nil {
			return err
		}
		if p.JSON {
			return printJSON(env.stdout, after)
		}
		fmt.Fprintf(env.stdout, "%s is a %s with the role %s and has %s.%s\n",
			after.Display, after.MemberType, after.Role, licensing.License(after.EffectiveLicense).Name(), more(after))
		if after.Note != "" {
			fmt.Fprintln(env.stdout, after.Note)
		}
		return nil
	})
}

// more says what stands between a person and the license that is wanted.
func more(a adminapi.Account) string {
	r := licensing.Reason(a.LicenseReason)
	if r == "" {
		return ""
	}
	return " " + r.Sentence() + " " + r.Help()
}

type accountAssign struct {
	person
	License string   `arg:"" help:"ringex, video-pro-plus, or video-pro to keep any other away."`
	For     lifetime `help:"How long; then it ends by itself: 30d, 12h, never." default:"never" placeholder:"30d"`
	Until   string   `help:"Until when." placeholder:"YYYY-MM-DD"`
}

func (cmd *accountAssign) Run(env *environment) error {
	until, err := end(cmd.For, cmd.Until, time.Now())
	if err != nil {
		return err
	}
	return cmd.change(env, func(c *adminapi.Client) (adminapi.Account, error) {
		return c.Assign(env.ctx, cmd.Company, cmd.Account, adminapi.Assignment{License: cmd.License, Until: until})
	})
}

// end gives when an assignment ends; zero for never.
func end(length lifetime, day string, now time.Time) (time.Time, error) {
	switch {
	case length > 0 && day != "":
		return time.Time{}, errors.New("--for and --until say the same in two ways: give one of them")
	case length > 0:
		return now.Add(time.Duration(length)).UTC(), nil
	case day == "":
		return time.Time{}, nil
	}
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return at, fmt.Errorf("--until %q is not a day; write it as %s", day, time.DateOnly)
	}
	return at, nil
}

type accountUnassign struct{ person }

func (cmd *accountUnassign) Run(env *environment) error {
	return cmd.change(env, func(c *adminapi.Client) (adminapi.Account, error) {
		if err := c.Unassign(env.ctx, cmd.Company, cmd.Account); err != nil {
			return adminapi.Account{}, err
		}
		return c.Account(env.ctx, cmd.Company, cmd.Account)
	})
}

type accountApprove struct {
	person
	License string `help:"Which of several requests." placeholder:"LICENSE"`
}

func (cmd *accountApprove) Run(env *environment) error {
	return cmd.change(env, func(c *adminapi.Client) (adminapi.Account, error) {
		return c.Decide(env.ctx, cmd.Company, cmd.Account, adminapi.Decision{License: cmd.License, Approve: true})
	})
}

type accountRefuse struct {
	person
	License string `help:"Which of several requests." placeholder:"LICENSE"`
}

func (cmd *accountRefuse) Run(env *environment) error {
	return cmd.change(env, func(c *adminapi.Client) (adminapi.Account, error) {
		return c.Decide(env.ctx, cmd.Company, cmd.Account, adminapi.Decision{License: cmd.License})
	})
}

type accountPromote struct{ person }

func (cmd *accountPromote) Run(env *environment) error {
	return cmd.become(env, adminapi.AccountChange{MemberType: string(licensing.Coworker)})
}

type accountDemote struct{ person }

func (cmd *accountDemote) Run(env *environment) error {
	return cmd.become(env, adminapi.AccountChange{MemberType: string(licensing.GuestMember)})
}

type accountRole struct {
	person
	Role string `arg:"" help:"standard, user-admin or super-admin; auto leaves it to the identity provider and the rules."`
}

func (cmd *accountRole) Run(env *environment) error {
	return cmd.become(env, adminapi.AccountChange{Role: cmd.Role})
}

func (p person) become(env *environment, change adminapi.AccountChange) error {
	return p.change(env, func(c *adminapi.Client) (adminapi.Account, error) {
		return c.ChangeAccount(env.ctx, p.Company, p.Account, change)
	})
}

type accountList struct {
	folder
	Company    string `help:"The company." required:"" placeholder:"NAME"`
	State      string `help:"Only those whose license is none, waiting, reserved, active, held or blocked." placeholder:"STATE"`
	Guests     bool   `help:"Only guests."`
	Activation string `help:"Only those whose account is pending, invited or active." placeholder:"STATE"`
	Extension  string `help:"Only those with or without a phone extension." placeholder:"with|without"`
	Requests   bool   `help:"Only those with a request that waits for a decision."`
	Limit      int    `help:"How many at most." default:"100" placeholder:"N"`
}

func (cmd *accountList) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		f := adminapi.AccountFilter{State: cmd.State, Activation: cmd.Activation, Extension: cmd.Extension, Requests: cmd.Requests}
		if cmd.Guests {
			f.MemberType = string(licensing.GuestMember)
		}
		accounts := []adminapi.Account{}
		for len(accounts) < cmd.Limit {
			f.Limit = min(cmd.Limit-len(accounts), 1000)
			page, err := c.Accounts(env.ctx, cmd.Company, f)
			if err != nil {
				return err
			}
			accounts = append(accounts, page.Items...)
			if f.After = page.Next; f.After == "" {
				break
			}
		}
		err := printList(env.stdout, cmd.JSON, accounts, "There are no such accounts.",
			table.Row{"user name", "name", "active", "member", "role", "license", "state", "reason", "until", "asks for", "set-up", "extension"},
			func(a adminapi.Account) table.Row {
				return table.Row{
					a.UserName, a.Display, a.Active, a.MemberType, a.Role, licensing.License(a.EffectiveLicense).Name(), a.LicenseState,
					a.LicenseReason, day(a.Until, ""), strings.Join(a.Requests, ", "), a.Activation, a.Extension,
				}
			})
		if err == nil && f.After != "" && !cmd.JSON {
			_, err = fmt.Fprintf(env.stdout, "There may be more than these %d; --limit gives more.\n", len(accounts))
		}
		return err
	})
}

type explainCommand struct {
	folder
	Company string `help:"The company; may be left out where there is only one." placeholder:"NAME"`
	Account string `arg:"" help:"The person's user name, id or externalId."`
}

func (cmd *explainCommand) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		company, err := cmd.company(env, c)
		if err != nil {
			return err
		}
		e, err := c.Explain(env.ctx, company, cmd.Account)
		if err != nil {
			return err
		}
		if cmd.JSON {
			return printJSON(env.stdout, e)
		}
		_, err = fmt.Fprint(env.stdout, e)
		return err
	})
}

// company gives the company that is meant.
func (cmd *explainCommand) company(env *environment, c *adminapi.Client) (string, error) {
	if cmd.Company != "" {
		return cmd.Company, nil
	}
	all, err := c.Companies(env.ctx)
	if err != nil {
		return "", err
	}
	if len(all) != 1 {
		return "", fmt.Errorf("there are %d companies: name one by --company", len(all))
	}
	return all[0].Name, nil
}
