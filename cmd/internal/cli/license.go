package cli

import (
	"maps"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"

	"usher/cmd/internal/adminapi"
)

type licenseList struct {
	folder
	Company string `help:"The company." required:"" placeholder:"NAME"`
}

func (cmd *licenseList) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		licenses, err := c.Licenses(env.ctx, cmd.Company)
		if err != nil {
			return err
		}
		return cmd.print(env, licenses)
	})
}

type licenseSeats struct {
	folder
	Company string         `help:"The company." required:"" placeholder:"NAME"`
	Seats   map[string]int `arg:"" help:"The license and its number of seats." placeholder:"LICENSE=N"`
}

func (cmd *licenseSeats) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		var after []adminapi.License
		for _, license := range slices.Sorted(maps.Keys(cmd.Seats)) {
			l, err := c.SetSeats(env.ctx, cmd.Company, license, cmd.Seats[license])
			if err != nil {
				return err
			}
			after = append(after, l)
		}
		return cmd.print(env, after)
	})
}

// print shows pools.
func (f folder) print(env *environment, licenses []adminapi.License) error {
	return printList(env.stdout, f.JSON, licenses, "There are no paid licenses.",
		table.Row{"license", "seats", "used", "active", "reserved", "held", "waiting"},
		func(l adminapi.License) table.Row {
			return table.Row{l.Name, l.Total, l.Used, l.Active, l.Reserved, l.Held, l.Waiting}
		})
}
