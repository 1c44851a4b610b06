package cli

import (
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"

	"usher/cmd/internal/adminapi"
)

type ruleAdd struct {
	folder
	Company  string `help:"The company." required:"" placeholder:"NAME"`
	Group    string `help:"The group: its display name or its id." required:"" placeholder:"GROUP"`
	License  string `help:"The license that its members get." required:"" placeholder:"LICENSE"`
	Priority int    `help:"Which rule wins where several hold: the larger." default:"0" placeholder:"N"`
}

func (cmd *ruleAdd) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		made, err := c.AddRule(env.ctx, cmd.Company, adminapi.NewRule{Group: cmd.Group, License: cmd.License, Priority: cmd.Priority})
		if err != nil {
			return err
		}
		if cmd.JSON {
			return printJSON(env.stdout, made)
		}
		fmt.Fprintf(env.stdout, "Members of %s get %s (rule %s).\n", made.Group, made.Name, made.ID)
		return nil
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
			table.Row{"id", "group", "license", "priority", "by", "since"},
			func(r adminapi.Rule) table.Row {
				return table.Row{r.ID, r.Group, r.Name, r.Priority, r.By, day(r.Created, "")}
			})
	})
}

type ruleRemove struct {
	folder
	Company string `help:"The company." required:"" placeholder:"NAME"`
	ID      string `arg:"" help:"The rule's id, as \"usher rule list\" shows it."`
}

func (cmd *ruleRemove) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
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
