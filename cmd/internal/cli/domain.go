package cli

import (
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"

	"usher/cmd/internal/adminapi"
)

type domainAdd struct {
	folder
	Company string `arg:"" help:"The company's short name."`
	Domain  string `arg:"" help:"The domain."`
	Trusted bool   `help:"Do not look for the record in the DNS that proves it."`
}

func (cmd *domainAdd) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		made, err := c.AddDomain(env.ctx, cmd.Company, adminapi.NewDomain{Name: cmd.Domain, Trusted: cmd.Trusted})
		if err != nil {
			return err
		}
		if cmd.JSON {
			return printJSON(env.stdout, made)
		}
		fmt.Fprintf(env.stdout, "%s belongs to %s: who has an address in it is a coworker, and of no other company.\n", made.Name, cmd.Company)
		return nil
	})
}

type domainList struct {
	folder
	Company string `arg:"" help:"The company's short name."`
}

func (cmd *domainList) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		domains, err := c.Domains(env.ctx, cmd.Company)
		if err != nil {
			return err
		}
		return printList(env.stdout, cmd.JSON, domains, "The company has verified no domain.", table.Row{"domain"},
			func(d adminapi.Domain) table.Row { return table.Row{d.Name} })
	})
}

type domainRemove struct {
	folder
	Company string `arg:"" help:"The company's short name."`
	Domain  string `arg:"" help:"The domain."`
}

func (cmd *domainRemove) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		if err := c.RemoveDomain(env.ctx, cmd.Company, cmd.Domain); err != nil {
			return err
		}
		fmt.Fprintf(env.stdout, "%s is no domain of %s any more; people stay what they are.\n", cmd.Domain, cmd.Company)
		return nil
	})
}
