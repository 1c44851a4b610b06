package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"usher/cmd/internal/adminapi"
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

type companyList struct{ folder }

func (cmd *companyList) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		companies, err := c.Companies(env.ctx)
		if err != nil {
			return err
		}
		return printList(env.stdout, cmd.JSON, companies, "There is no company yet.",
			table.Row{"company", "name", "tier", "no seat", "guests", "verified domains", "since"},
			func(c adminapi.Company) table.Row {
				return table.Row{c.Name, c.Display, c.Tier, c.SeatPolicy, c.GuestPolicy, strings.Join(c.Domains, ", "), day(c.Created, "")}
			})
	})
}
