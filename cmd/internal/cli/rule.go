package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"usher/cmd/internal/adminapi"
	"usher/licensing"
)

type ruleAdd struct {
	folder
	Company   string `help:"The company." required:"" placeholder:"NAME"`
	Group     string `help:"For the members of a group: its display name or its id." placeholder:"GROUP"`
	Attribute string `help:"For those with a value of an attribute, such as department or userType." placeholder:"NAME=VALUE"`
	Domain    string `help:"For those with an address in a domain." placeholder:"DOMAIN"`
	License   string `help:"The license that they get." placeholder:"LICENSE"`
	Role      string `help:"The role that they get: standard, user-admin or super-admin." placeholder:"ROLE"`
	Priority  int    `help:"Which rule wins where several hold: the larger." default:"0" placeholder:"N"`
	Preview   bool   `help:"Only say what the rule would do."`
}

func (cmd *ruleAdd) Run(env *environment) error {
	rule := adminapi.NewRule{Group: cmd.Group, Domain: cmd.Domain, License: cmd.License, Role: cmd.Role, Priority: cmd.Priority}
	if cmd.License == "" && cmd.Role == "" {
		return errors.New("a rule gives a license or a role: name one by --license or --role")
	}
	if cmd.Attribute != "" {
		name, value, found := strings.Cut(cmd.Attribute, "=")
		if !found {
			return fmt.Errorf("--attribute %q lacks a value; write it as department=Sales", cmd.Attribute)
		}
		rule.Attribute, rule.Value = name, value
	}
	return cmd.with(env, func(c *adminapi.Client) error {
		if cmd.Preview {
			f, err := c.ForecastRule(env.ctx, cmd.Company, rule)
			return cmd.forecast(env, f, err)
		}
		made, err := c.AddRule(env.ctx, cmd.Company, rule)
		if err != nil {
			return err
		}
		if cmd.JSON {
			return printJSON(env.stdout, made)
		}
		fmt.Fprintf(env.stdout, "People with %s get %s: %d, of whom %d have it now (rule %s).\n", made.About, gives(made), made.People, made.InEffect, made.ID)
		return nil
	})
}

// gives says what a rule gives.
func gives(r adminapi.Rule) string {
	switch {
	case r.Role == "":
		return r.Name
	case r.Name == "":
		return "the role " + r.Role
	}
	return r.Name + " and the role " + r.Role
}

// forecast shows what a change of rules would do.
func (f folder) forecast(env *environment, told licensing.Forecast, err error) error {
	switch {
	case err != nil:
		return err
	case f.JSON:
		return printJSON(env.stdout, told)
	}
	fmt.Fprintf(env.stdout, "People concerned: %d. Would get a seat: %d; would wait for one: %d; would lose theirs: %d; would ask in vain: %d; "+
		"asked for another license by something of a higher rank: %d. Would get a seat from the queue: %d. Nothing was changed.\n",
		told.People, told.Gain, told.Wait, told.Lose, told.Blocked, told.Conflicts, told.FromQueue)
	if len(told.Shifts) == 0 {
		return nil
	}
	return printList(env.stdout, false, told.Shifts, "", table.Row{"user name", "name", "has", "would have", "state", "reason"},
		func(s licensing.Shift) table.Row {
			return table.Row{s.UserName, s.Display, s.From.Name(), s.To.Name(), s.State, s.Reason}
		})
}

type ruleList struct {
	folder
	Company string `help:"The company." required:"" placeholder:"NAME"`
}

func (cmd *ruleList) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		rules, err := c.Rules(env.ctx, cmd.Company)
		if err != nil {
			return err
		}
		return printList(env.stdout, cmd.JSON, rules, "The company has no license rules.",
			table.Row{"id", "about", "gives", "priority", "people", "have it", "by", "since"},
			func(r adminapi.Rule) table.Row {
				return table.Row{r.ID, r.About, gives(r), r.Priority, r.People, r.InEffect, r.By, day(r.Created, "")}
			})
	})
}

type ruleRemove struct {
	folder
	Company string `help:"The company." required:"" placeholder:"NAME"`
	ID      string `arg:"" help:"The rule's id, as \"usher rule list\" shows it."`
	Preview bool   `help:"Only say what that would do."`
}

func (cmd *ruleRemove) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		if cmd.Preview {
			f, err := c.ForecastRemoval(env.ctx, cmd.Company, cmd.ID)
			return cmd.forecast(env, f, err)
		}
		if err := c.RemoveRule(env.ctx, cmd.Company, cmd.ID); err != nil {
			return err
		}
		if cmd.JSON {
			return printJSON(env.stdout, map[string]string{"removed": cmd.ID})
		}
		fmt.Fprintln(env.stdout, "The rule is gone, and with it the licenses that only it gave.")
		return nil
	})
}
